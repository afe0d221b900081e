// rancher.resize_device. The state needs none of this: init grows it (runtime/init/grow.h). This is
// for other disks, and for MBR, whose tables init leaves alone.
#include <fmt/format.h>

#include <charconv>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/ros/mounts.h"
#include "runtime/ros/process.h"
#include "runtime/ros/udev.h"

namespace ros {
namespace {

constexpr std::uint64_t kSector = 512;  // what sysfs counts in, whatever the disk does
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kWorthwhile = 2 * kMiB;    // more than alignment and a backup table
constexpr std::uint64_t kLeastGrowth = 16 * kMiB;  // XFS and btrfs leave a part group unused
constexpr const char* kFolder = "/run/ros/grow";

std::uint64_t number_in(const fs::path& file) {
  const std::string text{trim(try_read_file(file).value_or(""))};
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

fs::path sysfs_of(const std::string& device) {
  boost::system::error_code absent;
  const fs::path node = fs::canonical(device, absent);
  const fs::path entry = fs::canonical("/sys/class/block" / node.filename(), absent);
  if (absent) throw Error{device + " is no block device", Error::Kind::input};
  return entry;
}

// The partition itself, or the last one of a disk; empty for a disk that has none.
fs::path partition_of(const fs::path& entry) {
  if (fs::exists(entry / "partition")) return entry;
  fs::path last;
  for (const auto& child : fs::directory_iterator(entry)) {
    if (!fs::exists(child.path() / "partition")) continue;
    if (last.empty() || number_in(child.path() / "start") > number_in(last / "start"))
      last = child.path();
  }
  return last;
}

bool grow_partition(const fs::path& partition) {
  const fs::path disk = partition.parent_path();
  const auto end = number_in(partition / "start") + number_in(partition / "size");
  if ((number_in(disk / "size") - end) * kSector <= kWorthwhile) return false;
  const std::string device = "/dev/" + disk.filename().string();
  const std::string number = std::to_string(number_in(partition / "partition"));
  // The same start, as much as there is (sfdisk(8)); then the kernel is told, mounted or not.
  run_program({"sfdisk", "--quiet", "--force", "--no-reread", "-N", number, device}, ",+\n");
  run_program({"partx", "--update", "--nr", number, device});
  settle_udev();
  return true;
}

std::string value_of(const std::string& export_text, const std::string& name) {
  for (const auto& line : split(export_text, '\n')) {
    if (line.starts_with(name + "=")) return line.substr(name.size() + 1);
  }
  return {};
}

bool fills_device(const std::string& probed, std::uint64_t size) {
  const auto number = [&](const char* name) {
    const std::string text = value_of(probed, name);
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  return number("FSLASTBLOCK") * number("FSBLOCKSIZE") + kLeastGrowth > size;
}

void grow_mounted(const std::string& device, const std::string& type, const std::string& folder) {
  if (type.starts_with("ext")) run_program({"resize2fs", device});
  if (type == "xfs") run_program({"xfs_growfs", "-d", folder});
  if (type == "btrfs") run_program({"btrfs", "filesystem", "resize", "max", folder});
}

void grow_file_system(const std::string& device, std::uint64_t size) {
  const std::string probed = try_program({"blkid", "-p", "-o", "export", device}).output;
  const std::string type = value_of(probed, "TYPE");
  if (!(type.starts_with("ext") || type == "xfs" || type == "btrfs"))
    throw Error{fmt::format("{} holds {}, which cannot grow", device,
                            type.empty() ? "no file system" : type),
                Error::Kind::input};
  if (fills_device(probed, size)) return;
  const auto mounted =
      split(try_program({"findmnt", "-n", "-o", "TARGET", "-S", device}).output, '\n');
  if (!mounted.front().empty()) {
    grow_mounted(device, type, mounted.front());
  } else {  // so that one way serves all
    fs::create_directories(kFolder);
    run_program({"mount", device, kFolder});
    try {
      grow_mounted(device, type, kFolder);
    } catch (...) {
      try_program({"umount", kFolder});
      throw;
    }
    run_program({"umount", kFolder});
  }
  log::info(fmt::format("{} grew to {}", device, human_size(size)));
}

}  // namespace

void grow_configured(const Config& config, std::vector<std::string>& problems) {
  const std::string device = config.text("rancher.resize_device");
  if (device.empty()) return;
  try {
    const fs::path entry = sysfs_of(device);
    const fs::path partition = partition_of(entry);
    const bool grown = !partition.empty() && grow_partition(partition);
    const fs::path grows = partition.empty() ? entry : partition;
    const std::string path = "/dev/" + grows.filename().string();
    const auto targets = try_program({"findmnt", "-n", "-o", "TARGET", "-S", path}).output;
    if (!grown && targets.starts_with("/state")) return;  // init's affair
    grow_file_system(path, number_in(grows / "size") * kSector);
  } catch (const std::exception& error) {
    problems.emplace_back(Error{fmt::format("rancher.resize_device: {}", error.what())}
                              .at(config.find("rancher.resize_device")->position())
                              .what());
  }
}

}  // namespace ros
