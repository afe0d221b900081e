// How long to wait for somebody else: until a moment, or until it is called off.
//
// The default waits for ever. A copy is handed down to whatever may block, so
// that one bound holds for a whole piece of work however many steps it has.
#pragma once

#include <chrono>

namespace ros {

struct Patience {
  using Clock = std::chrono::steady_clock;

  Clock::time_point until = Clock::time_point::max();
  int cancel = -1;  // a file descriptor; once it can be read, waiting ends

  // This one, ending `time` from now when that is earlier.
  Patience at_most(std::chrono::milliseconds time) const;
  std::chrono::milliseconds left() const;  // never negative

  // Blocks until `fd` has one of `events` (POLLIN, POLLOUT). Throws Error (kind
  // network) when the time is over, or when it is called off.
  void wait(int fd, short events) const;
  // Blocks for `time`; throws as above.
  void pause(std::chrono::milliseconds time) const;
};

}  // namespace ros
