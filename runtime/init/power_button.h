// The power button, as the kernel's input layer offers it (ACPI, GPIO, keyboards
// with such a key): no daemon is needed to hear it.
#pragma once

#include <map>
#include <string>

#include "runtime/base/fd.h"
#include "runtime/init/uevent.h"

namespace ros {

class PowerButton {
 public:
  PowerButton();                                  // throws Error
  int fd() const noexcept { return all_.get(); }  // readable when `pressed` should be asked
  // True once for each press; takes in devices that came meanwhile. Does not block.
  bool pressed();

 private:
  void add(const std::string& devname);

  Fd all_;  // epoll
  UeventSocket events_;
  std::map<int, Fd> devices_;
};

}  // namespace ros
