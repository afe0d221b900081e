// `ros udev`: the device manager. init has loaded the drivers already; this
// makes links and permissions, and looks after what is plugged in later.
#include <sys/prctl.h>

#include "runtime/base/error.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"
#include "runtime/ros/watch.h"

namespace ros {

int udev_verb(const Arguments&) {
  // udevadm does nothing when it believes to be in a chroot; a container looks like one.
  const std::vector<std::string> environment{"SYSTEMD_IGNORE_CHROOT=1"};
  // The coldplug replays every device; it waits until the engine is up, because
  // nothing before that needs it and it would compete for the processor.
  const pid_t pid = spawn({"/proc/self/exe", "wait-for-docker", "--then", "udevadm", "trigger",
                           "--type=all", "--action=add"},
                          {environment, -1, -1, false});
  (void)pid;  // reaped by keep_running
  return keep_running({{"/usr/lib/systemd/systemd-udevd"}});
}

}  // namespace ros
