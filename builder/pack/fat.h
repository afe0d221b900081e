// Tree -> FAT file system, written natively: a few small files need no tool.
//
// FAT32 from 64 MiB on, FAT16 below (at least 3 MiB). Names are of ASCII, of any length.
// Owners, modes and links have no place in it: folders and files only (anything else throws
// ros::Error).
#pragma once

#include <cstdint>
#include <string>

#include "builder/os/tree.h"

namespace rosbuild {

struct FatSpec {
  std::uint64_t size = 0;       // bytes, whole MiB
  std::string label;            // up to 11 upper-case characters
  std::uint32_t serial = 0;     // volume id
  std::uint64_t hidden = 0;     // sectors before the partition on its disk
  std::uint32_t cluster = 512;  // bytes, a power of two up to 32 KiB
};

// Writes the file system into `fd` at `offset`; the bytes there must be zeros.
// Throws ros::Error when the tree does not fit.
void write_fat(const Tree& tree, int fd, std::uint64_t offset, const FatSpec& spec);

}  // namespace rosbuild
