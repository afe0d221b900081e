// Raw disk -> VHDX (Microsoft, [MS-VHDX]), dynamic: blocks of 1 MiB, of which
// those of zeros are left out. 1 MiB is what Microsoft advises for ext4.
//
// Every identifier in it derives from the disk's bytes; there is nothing in the log.
#pragma once

#include <stop_token>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

// Throws ros::Error.
void write_vhdx(const fs::path& raw, const fs::path& out, std::stop_token stop = {});

}  // namespace rosbuild
