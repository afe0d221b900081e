#include "runtime/init/filesystem.h"

#include <endian.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/init/child.h"
#include "runtime/init/console.h"
#include "runtime/init/grow.h"
#include "runtime/init/mounts.h"

namespace ros {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kGrowFrom = 16 * kMiB;  // XFS and btrfs leave a part group unused

// Bits of fsck(8)'s exit status.
constexpr int kErrorsLeft = 4;
constexpr int kNotRun = 127;  // no bit: it is not there, or a signal ended it

template <typename Number>
Number number_at(const std::string& bytes, std::size_t offset) {
  Number value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::string bytes_of(const std::string& device, std::uint64_t offset, std::size_t size) {
  return read_at(open_file(device, O_RDONLY).get(), offset, size);
}

// The superblock of ext2, 3 and 4 (Documentation/filesystems/ext4/super.rst of Linux).
struct Superblock {
  explicit Superblock(const std::string& device) : bytes{bytes_of(device, 1024, 1024)} {}
  template <typename Number>
  Number get(std::size_t offset) const {
    return number_at<Number>(bytes, offset);
  }
  // Unmounted in order, without errors, no journal to replay: what `e2fsck -p` leaves alone.
  bool clean() const {
    constexpr std::uint16_t kValid = 1, kErrors = 2;
    constexpr std::uint32_t kNeedsRecovery = 4;
    const auto state = get<std::uint16_t>(0x3a);
    return (state & kValid) && !(state & kErrors) && !(get<std::uint32_t>(0x60) & kNeedsRecovery) &&
           static_cast<std::int16_t>(get<std::uint16_t>(0x36)) <=
               0 &&                        // no check after so many mounts
           get<std::uint32_t>(0x44) == 0;  // nor after so much time
  }
  std::uint64_t size() const {
    constexpr std::uint32_t k64Bit = 0x80;
    const std::uint64_t high = get<std::uint32_t>(0x60) & k64Bit ? get<std::uint32_t>(0x150) : 0;
    return ((high << 32) | get<std::uint32_t>(0x4)) << (10 + get<std::uint32_t>(0x18));
  }
  std::string bytes;
};

// Mends what is safe to mend. Throws Error when there is more.
void repair(const Device& device, bool even_when_clean) {
  const int status =
      run(even_when_clean ? std::vector<std::string>{"e2fsck", "-f", "-p", device.path}
                          : std::vector<std::string>{"e2fsck", "-p", device.path});
  if (status == 1 || status == 2) announce(fmt::format("state: {} was repaired", device.path));
  if (status >= kNotRun)
    throw Error{fmt::format("state: {} could not be checked (status {})", device.path, status)};
  if (status >= kErrorsLeft)
    throw Error{fmt::format(
        "state: {0} is damaged and is left as it is; `e2fsck -f {0}` repairs it, then reboot",
        device.path)};
}

bool kernel_knows(const std::string& type) {
  const auto known = words(try_read_file("/proc/filesystems").value_or(""));
  return std::ranges::count(known, type) > 0;
}

}  // namespace

bool load_file_system(const std::string& type, ModuleLoader& modules) {
  if (kernel_knows(type)) return true;
  modules.load(type);
  return kernel_knows(type);
}

void grow_device(const std::string& path) {
  const std::string name = fs::canonical(path).filename().string();
  boost::system::error_code absent;
  const fs::path entry = fs::canonical("/sys/class/block/" + name, absent);
  const std::string number{trim(try_read_file(entry / "partition").value_or(""))};
  unsigned index = 0;
  std::from_chars(number.data(), number.data() + number.size(), index);
  if (index == 0) return;
  const fs::path disk = "/dev" / entry.parent_path().filename();
  Grown grown;
  if (!grow_partition(disk, index, grown)) return;
  resize_partition(disk, index, grown);
  log::info(fmt::format("{} grew to {}", path, human_size(grown.size)));
}

void mount_checked(const Device& device, std::string type, const std::string& folder,
                   ModuleLoader& modules) {
  if (type == "auto") type = device.type;
  if (type.empty() || type == "ambiguous")
    throw Error{fmt::format("state: {} holds no file system", device.path)};
  if (!load_file_system(type, modules))
    throw Error{fmt::format(
        "state: {} holds {}, which this kernel cannot mount; ext4, xfs and btrfs it can",
        device.path, type)};
  const bool ext = type.starts_with("ext");
  if (ext && !Superblock{device.path}.clean()) repair(device, false);
  const Mount mount{device.path, folder, type, MS_NOATIME, ""};
  try {
    mount_one(mount);
  } catch (const Error& error) {
    if (!ext)
      throw Error{fmt::format("state: {}: {}; it is left as it is{}", device.path, error.what(),
                              type == "xfs"     ? ", look into it with `xfs_repair -n`"
                              : type == "btrfs" ? ", look into it with `btrfs check`"
                                                : "")};
    repair(device, true);  // clean, it says, but the kernel knows better
    mount_one(mount);
  }
}

std::uint64_t file_system_size(const std::string& path, const std::string& type) {
  if (type.starts_with("ext")) return Superblock{path}.size();
  if (type == "xfs") {  // sb_blocksize and sb_dblocks (fs/xfs/libxfs/xfs_format.h of Linux)
    const std::string bytes = bytes_of(path, 0, 512);
    return std::uint64_t{be32toh(number_at<std::uint32_t>(bytes, 4))} *
           be64toh(number_at<std::uint64_t>(bytes, 8));
  }
  if (type == "btrfs")  // dev_item.total_bytes of the superblock (btrfs_tree.h of Linux)
    return le64toh(number_at<std::uint64_t>(bytes_of(path, 64 << 10, 4096), 0xc9 + 8));
  return 0;
}

std::vector<std::string> growth_command(const Device& device, const std::string& folder) {
  const std::uint64_t used = file_system_size(device.path, device.type);
  const Fd fd = open_file(device.path, O_RDONLY);
  std::uint64_t size = 0;
  if (used == 0 || ::ioctl(fd.get(), BLKGETSIZE64, &size) != 0) return {};
  const bool ext = device.type.starts_with("ext");
  if (size <= used + (ext ? kMiB : kGrowFrom)) return {};
  if (ext) return {"resize2fs", device.path};
  if (device.type == "xfs") return {"xfs_growfs", "-d", folder};
  return {"btrfs", "filesystem", "resize", "max", folder};
}

}  // namespace ros
