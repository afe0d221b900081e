// Raw disk -> qcow2 (QEMU, docs/interop/qcow2.txt), version 2 with clusters that
// zlib compressed: what the oldest importer of a cloud reads.
//
// Clusters of 64 KiB. What deflate gains nothing on is stored as it is, and read
// without inflating it. The bytes depend on the raw disk and the level only.
#pragma once

#include "builder/pack/deflate.h"

namespace rosbuild {

// Throws ros::Error. Memory does not grow with the data, but for two bytes a cluster.
void write_qcow2(const fs::path& raw, const fs::path& out, const DeflateOptions& options);

}  // namespace rosbuild
