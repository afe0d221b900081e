// Raw disk -> what Google Compute Engine imports: a gzipped tar archive in GNU
// tar's old format, of one sparse file "disk.raw" (Google, "Manually import boot
// disks"). The disk must be whole GiB.
#pragma once

#include "builder/pack/deflate.h"

namespace rosbuild {

inline constexpr std::uint64_t kGceUnit = 1ULL << 30;  // bytes

// Throws ros::Error.
void write_gce(const fs::path& raw, const fs::path& out, const DeflateOptions& options);

}  // namespace rosbuild
