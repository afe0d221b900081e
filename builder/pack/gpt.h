// GUID partition table (UEFI specification, chapter 5) with a protective MBR.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rosbuild {

inline constexpr std::uint64_t kSector = 512;
inline constexpr std::uint64_t kMiB = 1024 * 1024;

inline constexpr const char* kBiosBootType = "21686148-6449-6E6F-744E-656564454649";
inline constexpr const char* kEspType = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
inline constexpr const char* kLinuxType = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

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
