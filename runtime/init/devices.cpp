#include "runtime/init/devices.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/base/timeline.h"
#include "runtime/init/console.h"

namespace ros {
namespace {

// A USB disk announces itself within a second of its hub (the storage driver's
// settling delay); a bus that said nothing for longer has nothing to say.
constexpr double kUsbQuiet = 1.5;
constexpr double kUsbLimit = 8;
constexpr double kFeltAfter = 5;

struct FreeProbe {
  void operator()(blkid_probe probe) const { blkid_free_probe(probe); }
};

std::string value(blkid_probe probe, const char* name) {
  const char* text = nullptr;
  return blkid_probe_lookup_value(probe, name, &text, nullptr) == 0 && text ? text : "";
}

bool has_usb(const Paths& paths) {
  boost::system::error_code error;
  const fs::directory_iterator it{paths.sys / "bus/usb/devices", error};
  return !error && it != fs::directory_iterator{};
}

}  // namespace

std::vector<std::string> block_devices(const Paths& paths) {
  std::vector<std::string> names;
  boost::system::error_code error;
  for (fs::directory_iterator it{paths.sys / "class/block", error}, end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    const auto is = [&](std::string_view prefix) { return name.starts_with(prefix); };
    if (is("loop") || is("ram") || is("zram") || is("fd") || is("nbd")) continue;
    if (trim(try_read_file(it->path() / "size").value_or("0")) == "0") continue;
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<Device> probe(const fs::path& device) {
  const Fd fd{::open(device.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) return {};  // a drive without a medium, too
  const std::unique_ptr<std::remove_pointer_t<blkid_probe>, FreeProbe> p{blkid_new_probe()};
  if (!p || blkid_probe_set_device(p.get(), fd.get(), 0, 0) != 0) return {};
  blkid_probe_enable_superblocks(p.get(), 1);
  blkid_probe_set_superblocks_flags(p.get(),
                                    BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID | BLKID_SUBLKS_TYPE);
  blkid_probe_enable_partitions(p.get(), 1);
  blkid_probe_set_partitions_flags(p.get(), BLKID_PARTS_ENTRY_DETAILS);
  const int result = blkid_do_safeprobe(p.get());
  Device found{.path = device.string()};
  if (result == -2) {  // several signatures: certainly not empty, and nobody's to trust
    found.type = "ambiguous";
    return found;
  }
  if (result < 0) return {};
  found.type = value(p.get(), "TYPE");
  found.label = value(p.get(), "LABEL");
  found.uuid = value(p.get(), "UUID");
  found.part_label = value(p.get(), "PART_ENTRY_NAME");
  found.part_uuid = value(p.get(), "PART_ENTRY_UUID");
  found.partition_table = value(p.get(), "PTTYPE");
  return found;
}

std::vector<Device> present_devices(const Paths& paths) {
  std::vector<Device> found;
  for (const auto& name : block_devices(paths))
    if (auto device = probe(paths.dev / name)) found.push_back(std::move(*device));
  return found;
}

bool device_matches(const Device& device, const std::string& spec) {
  const auto equals = spec.find('=');
  if (equals == spec.npos || spec.starts_with('/')) {
    if (device.path == spec) return true;
    boost::system::error_code error;  // /dev/disk/by-… once udev made it
    const auto target = fs::canonical(spec, error);
    if (error) return false;
    if (target == device.path) return true;
    struct stat wanted = {};  // /dev/mapper has nodes of its own
    struct stat have = {};
    return ::stat(spec.c_str(), &wanted) == 0 && ::stat(device.path.c_str(), &have) == 0 &&
           S_ISBLK(wanted.st_mode) && S_ISBLK(have.st_mode) && wanted.st_rdev == have.st_rdev;
  }
  const std::string key = spec.substr(0, equals);
  const std::string wanted = spec.substr(equals + 1);
  if (wanted.empty()) return false;
  if (key == "LABEL") return device.label == wanted;
  if (key == "UUID") return device.uuid == wanted;
  if (key == "PARTLABEL") return device.part_label == wanted;
  if (key == "PARTUUID") return device.part_uuid == wanted;
  return false;
}

std::optional<Device> wait_for_device(const Wanted& wanted, const Coldplug& coldplug,
                                      const WaitLimits& limits, const Paths& paths) {
  UeventSocket events;  // before the look around, so that none slips between
  const auto accept = [&](const std::string& name) -> std::optional<Device> {
    auto device = probe(paths.dev / name);
    if (!device || !wanted(*device)) return {};
    return device;
  };
  for (const auto& name : block_devices(paths))
    if (auto device = accept(name)) return device;

  const double start = uptime();
  bool felt = limits.message.empty();
  double settled_at = 0;
  double last_usb = 0;
  for (;;) {
    const double now = uptime();
    double deadline = now + 3600;
    if (coldplug.settled()) {
      if (settled_at == 0) settled_at = last_usb = now;
      deadline = settled_at + limits.absent_seconds;
      if (has_usb(paths))
        deadline = std::max(deadline, std::min(last_usb + kUsbQuiet, settled_at + kUsbLimit));
      if (now >= deadline) return {};
    }
    if (!felt && now - start >= kFeltAfter) {
      announce(limits.message);
      felt = true;
    }
    if (!felt) deadline = std::min(deadline, start + kFeltAfter);

    pollfd waiting[] = {{events.fd(), POLLIN, 0}, {coldplug.settled_fd(), POLLIN, 0}};
    ::poll(waiting, settled_at > 0 ? 1 : 2, static_cast<int>(std::ceil((deadline - now) * 1000)));
    while (const auto event = events.next()) {
      if (event->subsystem == "usb" || event->subsystem == "scsi") last_usb = uptime();
      if (event->subsystem != "block" || event->action == "remove" || event->devname.empty())
        continue;
      if (auto device = accept(event->devname)) return device;
    }
    if (events.overrun())
      for (const auto& name : block_devices(paths))
        if (auto device = accept(name)) return device;
  }
}

}  // namespace ros
