// Growing the last partition of a disk over the space behind it, as a disk that was
// enlarged needs it: GPT, or the four entries of an MBR (UEFI specification 2.10,
// sections 5.3 and 5.2).
#pragma once

#include <cstdint>

#include "runtime/base/file.h"

namespace ros {

struct Grown {
  std::uint64_t offset = 0, size = 0;  // of the partition, in bytes
};

// Moves the backup table (of GPT) to the end of `disk` (a block device or an image with
// 512-byte sectors) and lets partition `number` reach up to it. Nothing to gain
// (less than 1 MiB), not the last partition, or no valid table: false, and the
// disk is as it was. Throws Error when it cannot be written. The kernel is not
// told; see resize_partition.
bool grow_partition(const fs::path& disk, unsigned number, Grown& grown);

// Tells the kernel the new size (BLKPG_RESIZE_PARTITION; works while mounted).
void resize_partition(const fs::path& disk, unsigned number, const Grown& grown);

}  // namespace ros
