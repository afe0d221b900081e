// Raw disk -> VHD (Microsoft, "Virtual Hard Disk Image Format Specification" 1.0).
//
// Fixed: the raw disk, holes and all, and a footer: what Azure takes. Dynamic:
// blocks of 512 KiB, of which those of zeros are left out. The disk's identifier
// derives from its bytes; times are zero.
#pragma once

#include <cstdint>
#include <stop_token>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

inline constexpr std::uint64_t kLargestVhd = 2040ULL << 30;  // bytes, of the disk inside

// Both throw ros::Error.
void write_fixed_vhd(const fs::path& raw, const fs::path& out, std::stop_token stop = {});
void write_dynamic_vhd(const fs::path& raw, const fs::path& out, std::stop_token stop = {});

}  // namespace rosbuild
