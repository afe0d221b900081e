// GUID partition table (UEFI specification, chapter 5) with a protective MBR.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/base/disk_layout.h"

namespace rosbuild {

inline constexpr std::uint64_t kSector = 512;
inline constexpr std::uint64_t kMiB = 1024 * 1024;

using ros::kBiosBootType;
using ros::kEspType;
using ros::kLinuxType;

struct Partition {
  std::string type;  // GUID
  std::string guid;
  std::string name;          // ASCII, at most 36 characters
  std::uint64_t offset = 0;  // bytes
  std::uint64_t size = 0;    // bytes
};

// Writes protective MBR (keeping `boot_code`, at most 440 bytes) and both tables into `fd`.
void write_gpt(int fd, std::uint64_t disk_size, const std::string& disk_guid,
               const std::vector<Partition>& partitions, const std::string& boot_code);

}  // namespace rosbuild
