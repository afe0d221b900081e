// Raw disk -> streamOptimized VMDK (VMware, "Virtual Disk Format 5.0"), which
// ESXi imports and Workstation opens.
//
// Holes of the raw file are skipped unread, grains of zeros are left out, the
// rest is deflated on several threads and written in order: the bytes depend
// on the raw disk and the level only.
#pragma once

#include "builder/pack/deflate.h"

namespace rosbuild {

void write_vmdk(const fs::path& raw, const fs::path& out, const DeflateOptions& options);

}  // namespace rosbuild
