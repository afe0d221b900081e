// The thread that loads modules for devices, beside everything else: first for
// the devices that sysfs shows, then for each one that the kernel announces.
//
// finit_module(2) returns when probing has ended, so once the announced devices
// are served as well ("settled") the only ones still to come are those that are
// found by asking around: USB.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "runtime/base/fd.h"
#include "runtime/init/modules.h"
#include "runtime/init/uevent.h"

namespace ros {

class Coldplug {
 public:
  // Starts with the modules of the initramfs. Throws Error.
  explicit Coldplug(std::shared_ptr<ModuleLoader> loader);
  Coldplug(const Coldplug&) = delete;
  Coldplug& operator=(const Coldplug&) = delete;
  // Ends the thread; waits for a module that is being loaded.
  ~Coldplug();

  // Readable once the devices known so far are served.
  int settled_fd() const noexcept { return settled_.get(); }
  bool settled() const noexcept { return is_settled_; }
  void wait() const noexcept;  // blocks until settled

 private:
  void work() noexcept;

  std::shared_ptr<ModuleLoader> loader_;
  Fd sysfs_, settled_, stop_;
  UeventSocket events_;
  std::atomic<bool> is_settled_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace ros
