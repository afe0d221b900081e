#include "runtime/init/state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/init/child.h"
#include "runtime/init/console.h"
#include "runtime/init/devices.h"
#include "runtime/init/grow.h"
#include "runtime/init/layers.h"
#include "runtime/init/mounts.h"

namespace ros {
namespace {

constexpr const char* kLabel = "RANCHER_STATE";
constexpr double kWaitSeconds = 30;
constexpr std::size_t kMiB = 1 << 20;
constexpr const char* kFolders[] = {"home",           "opt",
                                    "var/lib/docker", "var/lib/rancher",
                                    "var/lib/system-docker", "var/log"};

// Bits of fsck(8)'s exit status.
constexpr int kErrorsLeft = 4;

// Folders, files and links with owners and modes: all that the image's folders have.
void copy_tree(const fs::path& from, const fs::path& to) {
  struct stat info{};
  if (::lstat(from.c_str(), &info) != 0) throw Error::from_errno("cannot read " + from.string());
  if (S_ISDIR(info.st_mode)) {
    fs::create_directory(to);
    for (const auto& entry : fs::directory_iterator(from))
      copy_tree(entry.path(), to / entry.path().filename());
  } else if (S_ISLNK(info.st_mode)) {
    fs::create_symlink(fs::read_symlink(from), to);
  } else if (S_ISREG(info.st_mode)) {
    write_file(to, read_file(from));
  } else {
    throw Error{from.string() + " is neither file, folder nor link"};
  }
  if (::lchown(to.c_str(), info.st_uid, info.st_gid) != 0 ||
      (!S_ISLNK(info.st_mode) && ::chmod(to.c_str(), info.st_mode & 07777) != 0))
    throw Error::from_errno("cannot copy " + from.string() + " to " + to.string());
}

// The image's own content (homes, owners, modes) is the first content.
void bind_folders(const fs::path& base) {
  for (const fs::path name : kFolders) {
    const fs::path kept = base / name;
    const fs::path seen = "/" / name;
    if (!fs::exists(kept)) {
      fs::create_directories(kept.parent_path());
      const fs::path fresh = kept.parent_path() / ("." + name.filename().string() + ".new");
      fs::remove_all(fresh);  // of a first boot that was cut short
      if (fs::exists(seen))
        copy_tree(seen, fresh);
      else
        fs::create_directories(fresh);
      fs::rename(fresh, kept);
    }
    bind_mount(kept, seen);
  }
}

void use_memory() {
  const fs::path base = fs::path{kMemoryFolder} / "state";
  fs::create_directories(base);
  bind_folders(base);
}

std::string describe(const Device& device) {
  if (!device.type.empty())
    return fmt::format("holds {}{}", device.type,
                       device.label.empty() ? "" : " (label " + device.label + ")");
  return fmt::format("holds a partition table ({})", device.partition_table);
}

// The first of the candidates that is there and empty gets the file system.
std::optional<Device> autoformat(const std::vector<std::string>& candidates) {
  for (const auto& path : candidates) {
    const auto device = probe(path);
    if (!device) continue;
    std::string reason;
    if (!device->empty()) {
      reason = describe(*device);
    } else if (const auto used = first_byte_used(path); used >= 0) {
      reason = fmt::format("is not empty (there is something at byte {})", used);
    }
    if (!reason.empty()) {
      announce(fmt::format("{} is not formatted for the state: it {}", path, reason));
      continue;
    }
    announce(fmt::format("formatting {} for the state", path));
    if (run({"mke2fs", "-q", "-F", "-t", "ext4", "-L", kLabel, path}) == 0) return probe(path);
    announce_error(fmt::format("{} cannot be formatted", path));
  }
  return {};
}

// The superblock of ext2, 3 and 4 (Documentation/filesystems/ext4/super.rst of Linux).
struct Superblock {
  explicit Superblock(const std::string& device)
      : bytes{read_at(open_file(device, O_RDONLY).get(), 1024, 1024)} {}
  template <typename Number>
  Number get(std::size_t offset) const {
    Number value{};
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  }
  // Unmounted in order, without errors, no journal to replay: what `e2fsck -p` leaves alone.
  bool clean() const {
    constexpr std::uint16_t kValid = 1, kErrors = 2;
    constexpr std::uint32_t kNeedsRecovery = 4;
    const auto state = get<std::uint16_t>(0x3a);
    return (state & kValid) && !(state & kErrors) && !(get<std::uint32_t>(0x60) & kNeedsRecovery) &&
           static_cast<std::int16_t>(get<std::uint16_t>(0x36)) <= 0 &&  // no check after so many mounts
           get<std::uint32_t>(0x44) == 0;                               // nor after so much time
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
  const int status = run(even_when_clean ? std::vector<std::string>{"e2fsck", "-f", "-p", device.path}
                                         : std::vector<std::string>{"e2fsck", "-p", device.path});
  if (status == 1 || status == 2) announce(fmt::format("state: {} was repaired", device.path));
  if (status >= kErrorsLeft)
    throw Error{fmt::format(
        "state: {0} is damaged and is left as it is; `e2fsck -f {0}` repairs it, then reboot",
        device.path)};
}

// A partition that has space behind it takes it.
void grow_device(const std::string& path) {
  const std::string name = fs::path{path}.filename().string();
  const fs::path entry = fs::canonical("/sys/class/block/" + name);
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

bool smaller_than_device(const std::string& path) {
  const Fd fd = open_file(path, O_RDONLY);
  std::uint64_t size = 0;
  if (::ioctl(fd.get(), BLKGETSIZE64, &size) != 0) return false;
  return size > Superblock{path}.size() + kMiB;
}

State mount_state(const Device& device, const Cmdline& cmdline, ModuleLoader& modules) {
  std::string type = cmdline.get("rancher.state.fstype", "auto");
  if (type == "auto") type = device.type;
  if (type.empty() || type == "ambiguous")
    throw Error{fmt::format("state: {} holds no file system", device.path)};
  const auto known = words(try_read_file("/proc/filesystems").value_or(""));
  if (std::ranges::count(known, type) == 0) modules.load(type);
  State state{.device = device.path};
  const bool ext = type.starts_with("ext");
  if (ext && !Superblock{device.path}.clean()) repair(device, false);
  if (ext) {
    try {
      grow_device(device.path);
      state.can_grow = smaller_than_device(device.path);
    } catch (const std::exception& error) {
      announce_error(fmt::format("state: {} does not grow: {}", device.path, error.what()));
    }
  }
  const Mount mount{device.path, kStateFolder, type, MS_NOATIME, ""};
  try {
    mount_one(mount);
  } catch (const Error&) {
    if (!ext) throw;
    repair(device, true);  // clean, it says, but the kernel knows better
    mount_one(mount);
  }
  try {
    const fs::path base = fs::path{kStateFolder} / cmdline.get("rancher.state.directory");
    fs::create_directories(base);
    bind_folders(base);
  } catch (...) {
    for (const fs::path name : kFolders) ::umount2(("/" / name).c_str(), MNT_DETACH);
    ::umount2(kStateFolder, MNT_DETACH);
    throw;
  }
  return state;
}

}  // namespace

long long first_byte_used(const fs::path& disk) {
  const Fd fd = open_file(disk.string(), O_RDONLY);
  const auto end = ::lseek(fd.get(), 0, SEEK_END);
  if (end < 0) throw Error::from_errno("cannot read " + disk.string());
  const auto size = static_cast<std::uint64_t>(end);
  const std::uint64_t part = std::min<std::uint64_t>(size, kMiB);
  for (const std::uint64_t offset : {std::uint64_t{0}, size - part}) {
    const std::string bytes = read_at(fd.get(), offset, part);
    const auto used = bytes.find_first_not_of('\0');
    if (used != bytes.npos) return static_cast<long long>(offset + used);
  }
  return -1;
}

State set_up_state(const Cmdline& cmdline, const Coldplug& coldplug, ModuleLoader& modules) {
  const std::string spec = cmdline.get("rancher.state.dev", fmt::format("LABEL={}", kLabel));
  const bool required = cmdline.flag("rancher.state.required");
  std::string reason = "no state was asked for";
  if (!spec.empty() && spec != "none") {
    const auto wanted = [&](const Device& device) { return device_matches(device, spec); };
    auto device = wait_for_device(wanted, coldplug, {});
    if (!device) device = autoformat(cmdline.list("rancher.state.autoformat"));
    if (!device && cmdline.flag("rancher.state.wait"))
      device = wait_for_device(wanted, coldplug,
                               {.absent_seconds = kWaitSeconds,
                                .message = fmt::format("waiting for the state ({})", spec)});
    reason = fmt::format("no state ({}) was found", spec);
    if (device) {
      reason = fmt::format("the state on {} cannot be used", device->path);
      try {
        return mount_state(*device, cmdline, modules);
      } catch (const std::exception& error) {
        announce_error(error.what());
      }
    }
  }
  if (required)
    throw Error{reason + ", and rancher.state.required forbids to run without"};
  announce(reason + ": running from memory, nothing will be kept");
  use_memory();
  return {};
}

}  // namespace ros
