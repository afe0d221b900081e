#include "runtime/ros/watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/engine/docker.h"

namespace ros {

bool wait_for_change(const std::string& folder, int timeout_ms, const std::function<bool()>& done) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::milliseconds{timeout_ms};
  const Fd watch{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  if (!watch || ::inotify_add_watch(watch.get(), folder.c_str(),
                                    IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM |
                                        IN_ATTRIB | IN_CLOSE_WRITE) < 0) {
    throw Error::from_errno("cannot watch " + folder);
  }
  while (!done()) {  // asked after the watch is in place, so no change is missed
    int left = -1;
    if (timeout_ms >= 0) {
      left = static_cast<int>(
          std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count());
      if (left <= 0) return false;
    }
    pollfd readable{watch.get(), POLLIN, 0};
    ::poll(&readable, 1, left);
    std::array<char, 4096> events;
    while (::read(watch.get(), events.data(), events.size()) > 0) {
    }
  }
  return true;
}

void wait_for_engine(const std::string& socket) {
  const Docker docker{socket};
  // The daemon makes the socket, then sets owner and mode (IN_ATTRIB): a connect
  // that came too early is tried again at the next of these changes.
  wait_for_change(fs::path{socket}.parent_path().string(), -1, [&] {
    if (!fs::exists(socket)) return false;
    try {
      docker.ping();
      return true;
    } catch (const Error&) {
      return false;
    }
  });
}

}  // namespace ros
