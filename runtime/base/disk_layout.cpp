#include "runtime/base/disk_layout.h"

#include <fmt/format.h>

#include "runtime/base/error.h"

namespace ros {
namespace {

constexpr std::size_t kKernelSector = 0x5c;           // in boot.img
constexpr std::size_t kFirstList = kSectorSize - 12;  // in diskboot.img

void put_sector(std::string& bytes, std::size_t at, std::uint64_t value) {
  if (bytes.size() < at + 8) throw Error{"GRUB's image is too short"};
  for (std::size_t i = 0; i < 8; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

std::uint64_t round_up(std::uint64_t size, std::uint64_t unit) {
  return (size + unit - 1) / unit * unit;
}

}  // namespace

std::uint64_t boot_partition_size(std::uint64_t content) {
  return round_up(2 * content + content / 10 + 64 * kMebibyte, 16 * kMebibyte);
}

std::uint64_t least_disk(std::uint64_t boot) {
  return kDiskHead + kBiosBootSize + kEspSize + boot + kLeastStateSize + kDiskTail;
}

const std::vector<std::string>& boot_ext4_options() {
  static const std::vector<std::string> options{
      "-O", "^metadata_csum_seed,^orphan_file", "-i", "65536", "-m", "0"};
  return options;
}

std::string signed_config(const std::string& label) {
  return fmt::format(
      "search --no-floppy --set=root --label {}\n"
      "set prefix=($root)/grub\n"
      "configfile $prefix/grub.cfg\n",
      label);
}

void place_core(std::string& boot_sector, std::string& core, std::uint64_t sector) {
  put_sector(boot_sector, kKernelSector, sector);
  put_sector(core, kFirstList, sector + 1);
}

}  // namespace ros
