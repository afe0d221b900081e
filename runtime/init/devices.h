// Block devices: what is on them, and waiting for one that is not there yet.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/init/coldplug.h"
#include "runtime/init/paths.h"
#include "runtime/init/uevent.h"

namespace ros {

struct Device {
  std::string path;  // /dev/vda3
  std::string type;  // of the file system ("ext4"), "" when there is none
  std::string label, uuid;
  std::string part_label, part_uuid;
  std::string partition_table;  // "gpt", "dos" … when the device is divided itself
  bool empty() const { return type.empty() && partition_table.empty(); }
};

// Names ("vda", "vda1", "sr0") of the block devices that may hold something:
// no loop, ram or floppy ones, and none without a medium.
std::vector<std::string> block_devices(const Paths& paths = {});

// Reads the signatures (libblkid). Nothing when it cannot be opened.
std::optional<Device> probe(const fs::path& device);

// All of block_devices() that can be read, probed now.
std::vector<Device> present_devices(const Paths& paths = {});

// "LABEL=x", "UUID=x", "PARTLABEL=x", "PARTUUID=x" or a path.
bool device_matches(const Device& device, const std::string& spec);

// Answers whether a device is the wanted one; may look into it.
using Wanted = std::function<bool(const Device&)>;

struct WaitLimits {
  double absent_seconds = 0;  // after devices have settled, how long to wait on
  std::string message;        // announced when waiting starts to be felt; "" for none
};

// The first wanted device among those that are there or come. Waits until the
// devices have settled, then for USB to fall silent (at most some seconds), then
// for `limits.absent_seconds`. Nothing is polled: kernel events end each wait.
std::optional<Device> wait_for_device(const Wanted& wanted, const Coldplug& coldplug,
                                      const WaitLimits& limits, const Paths& paths = {});

}  // namespace ros
