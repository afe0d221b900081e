#include "runtime/init/state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/base/disk_layout.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/init/assemble.h"
#include "runtime/init/b2d.h"
#include "runtime/init/child.h"
#include "runtime/init/console.h"
#include "runtime/init/devices.h"
#include "runtime/init/filesystem.h"
#include "runtime/init/layers.h"
#include "runtime/init/mounts.h"

namespace ros {
namespace {

constexpr double kWaitSeconds = 30;
constexpr std::size_t kMiB = 1 << 20;
constexpr const char* kFolders[] = {
    "home", "opt", "var/lib/docker", "var/lib/rancher", "var/lib/system-docker", "var/log"};
constexpr std::uint64_t kLeastFree =
    4 * kMiB;  // what system Docker writes in a boot, and some logs

// Folders, files and links with owners and modes: all that the image's folders have.
void copy_tree(const fs::path& from, const fs::path& to) {
  struct stat info = {};
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
// System Docker makes anew whatever it has, so it can do without a state that is full.
void bind_folders(const fs::path& base, bool full) {
  for (const fs::path name : kFolders) {
    const bool in_memory = full && name == "var/lib/system-docker";
    // Not in the root's own overlay, which cannot carry the overlays of containers.
    const fs::path kept = (in_memory ? fs::path{kMemoryFolder} / "state" : base) / name;
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

bool is_full(const char* folder) {
  struct statvfs info = {};
  return ::statvfs(folder, &info) == 0 && info.f_blocks > 0 &&
         std::uint64_t{info.f_bavail} * info.f_frsize < kLeastFree;
}

void use_memory() {
  const fs::path base = fs::path{kMemoryFolder} / "state";
  fs::create_directories(base);
  bind_folders(base, false);
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
    if (run({"mke2fs", "-q", "-F", "-t", "ext4", "-L", kStateLabel, path}) == 0) return probe(path);
    announce_error(fmt::format("{} cannot be formatted", path));
  }
  return {};
}

void report(const std::string& line) {
  fs::create_directories(fs::path{kStateReport}.parent_path());
  write_file(kStateReport, line + "\n");
}

State mount_state(const Device& device, const Cmdline& cmdline, ModuleLoader& modules) {
  try {
    grow_device(device.path);
  } catch (const std::exception& error) {
    announce_error(fmt::format("state: {} does not grow: {}", device.path, error.what()));
  }
  mount_checked(device, cmdline.get("rancher.state.fstype", "auto"), kStateFolder, modules);
  State state{.device = device.path};
  try {
    state.growth = growth_command(device, kStateFolder);
    const fs::path base = fs::path{kStateFolder} / cmdline.get("rancher.state.directory");
    bool full = is_full(kStateFolder);
    if (full && !state.growth.empty()) {  // what follows needs room
      announce(fmt::format("the state on {} is full: it grows first", device.path));
      if (run(state.growth) == 0) state.growth.clear();
      full = is_full(kStateFolder);
    }
    if (full)
      announce_error(fmt::format(
          "state: {} is full: system Docker works in memory; make room, then reboot", device.path));
    fs::create_directories(base);
    bind_folders(base, full);
  } catch (...) {
    for (const fs::path name : kFolders) ::umount2(("/" / name).c_str(), MNT_DETACH);
    ::umount2(kStateFolder, MNT_DETACH);
    throw;
  }
  report(fmt::format("{} {}", device.path, device.type));
  return state;
}

// docker-machine's disk, found or made. `keys` are those of a disk that was made.
std::optional<Device> b2d_state(std::vector<std::string>& keys) {
  for (const auto& device : present_devices())
    if (device.label == kB2dLabel) return device;
  for (const std::string path : {"/dev/sda", "/dev/vda"}) {
    const auto device = probe(path);
    if (!device || !device->empty() || !is_b2d_disk(path)) continue;
    keys = b2d_keys(b2d_tar(path));
    announce(fmt::format("formatting {} for the state, as docker-machine asks", path));
    if (run({"mke2fs", "-q", "-F", "-t", "ext4", "-L", kB2dLabel, path}) == 0) return probe(path);
    announce_error(fmt::format("{} cannot be formatted", path));
  }
  return {};
}

// Every way to a state that `cmdline` allows, the cheapest first.
std::optional<Device> find_state(const std::string& spec, const Cmdline& cmdline,
                                 const Coldplug& coldplug, ModuleLoader& modules,
                                 std::vector<std::string>& keys) {
  const auto wanted = [&](const Device& device) { return device_matches(device, spec); };
  // The recovery console is for a box whose owner may have no passphrase at hand.
  const Passphrases asked = cmdline.flag("rancher.recovery")           ? Passphrases::none
                            : cmdline.flag("rancher.state.cryptsetup") ? Passphrases::all
                                                                       : Passphrases::of_state;
  const auto look = [&](const WaitLimits& limits) {
    auto device = wait_for_device(wanted, coldplug, limits);
    if (device && !is_member(device->type)) return device;
    coldplug.wait();  // an array that lacks members is started all the same
    return assemble(spec, asked, modules);
  };
  scan_members(cmdline, coldplug, modules);
  auto device = look({});
  if (device || cmdline.flag("rancher.recovery")) return device;
  device = b2d_state(keys);
  if (!device) device = autoformat(cmdline.list("rancher.state.autoformat"));
  if (!device && cmdline.flag("rancher.state.wait"))
    device = look({.absent_seconds = kWaitSeconds,
                   .message = fmt::format("waiting for the state ({})", spec)});
  return device;
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
  const std::string spec = cmdline.get("rancher.state.dev", fmt::format("LABEL={}", kStateLabel));
  const bool required = cmdline.flag("rancher.state.required");
  std::string reason = "no state was asked for";
  if (!spec.empty() && spec != "none") {
    reason = fmt::format("no state ({}) was found", spec);
    try {
      std::vector<std::string> keys;
      if (const auto device = find_state(spec, cmdline, coldplug, modules, keys)) {
        reason = fmt::format("the state on {} cannot be used", device->path);
        State state = mount_state(*device, cmdline, modules);
        write_machine_config(keys, "/var/lib/rancher/conf");
        return state;
      }
    } catch (const std::exception& error) {
      announce_error(error.what());
    }
  }
  if (required) throw Error{reason + ", and rancher.state.required forbids to run without"};
  announce(reason + ": running from memory, nothing will be kept");
  use_memory();
  report("memory " + reason);
  return {};
}

}  // namespace ros
