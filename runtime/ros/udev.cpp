// `ros udev`: the device manager. init has loaded the drivers already; this
// makes links and permissions, and looks after what is plugged in later.
#include "runtime/ros/udev.h"

#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

// udevadm does nothing when it believes to be in a chroot; a container looks like one.
const std::vector<std::string> kAnyRoot{"SYSTEMD_IGNORE_CHROOT=1"};

}  // namespace

int udev_verb(const Arguments&) {
  // The coldplug replays every device; it waits until the engine is up, because
  // nothing before that needs it and it would compete for the processor.
  const pid_t pid = spawn({"/proc/self/exe", "wait-for-docker", "--then", "udevadm", "trigger",
                           "--type=all", "--action=add"},
                          {.environment = kAnyRoot});
  (void)pid;  // reaped by keep_running
  return keep_running({{"/usr/lib/systemd/systemd-udevd"}});
}

void settle_udev() {
  // Whoever uses the partitions says what is wrong, should a minute not do.
  run({"udevadm", "settle", "--timeout=60"}, {.environment = kAnyRoot});
}

}  // namespace ros
