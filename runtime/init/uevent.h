// Kernel events about devices (NETLINK_KOBJECT_UEVENT).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runtime/base/fd.h"

namespace ros {

struct Uevent {
  std::string action;     // add, change, remove, bind …
  std::string devpath;    // below /sys
  std::string subsystem;  // block, pci, usb …
  std::string devname;    // below /dev, "" when there is no node
  std::string modalias;
};

// A message of the kernel ("add@/devices/…\0KEY=VALUE\0…"); nothing for udev's own.
std::optional<Uevent> parse_uevent(std::string_view message);

class UeventSocket {
 public:
  UeventSocket();  // throws Error
  int fd() const noexcept { return fd_.get(); }
  // The next event that has arrived already. Lost ones (a full buffer) are
  // reported once by `overrun`.
  std::optional<Uevent> next();
  bool overrun() noexcept { return std::exchange(overrun_, false); }

 private:
  Fd fd_;
  bool overrun_ = false;
};

}  // namespace ros
