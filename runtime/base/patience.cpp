#include "runtime/base/patience.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "runtime/base/error.h"

namespace ros {
namespace {

using std::chrono::milliseconds;

// poll(2) on both; false when `time` passed (negative: for ever).
bool poll_both(int fd, short events, int cancel, int time) {
  pollfd both[] = {{fd, events, 0}, {cancel, POLLIN, 0}};  // poll ignores a negative one
  const int count = ::poll(both, 2, time);
  if (count < 0 && errno != EINTR) throw Error::from_errno("poll");
  if (count > 0 && both[1].revents != 0) throw Error{"called off", Error::Kind::network};
  return count > 0;
}

}  // namespace

Patience Patience::at_most(milliseconds time) const {
  return {std::min(until, Clock::now() + time), cancel};
}

milliseconds Patience::left() const {
  return std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(until - Clock::now()));
}

void Patience::wait(int fd, short events) const {
  for (;;) {
    const auto time = left();
    if (time == milliseconds{0}) throw Error{"timed out", Error::Kind::network};
    const bool bounded = until != Clock::time_point::max();
    const int step = bounded ? static_cast<int>(std::min<long>(time.count(), INT_MAX)) : -1;
    if (poll_both(fd, events, cancel, step)) return;
  }
}

void Patience::pause(milliseconds time) const {
  const auto end = Clock::now() + time;
  for (;;) {
    if (left() == milliseconds{0}) throw Error{"timed out", Error::Kind::network};
    const auto rest = std::min(until, end) - Clock::now();
    if (rest <= Clock::duration::zero()) {
      if (end <= until) return;
      continue;
    }
    const auto step = std::chrono::ceil<milliseconds>(rest).count();
    poll_both(-1, 0, cancel, static_cast<int>(std::min<long>(step, INT_MAX)));
  }
}

}  // namespace ros
