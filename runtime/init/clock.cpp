#include "runtime/init/clock.h"

#include <sys/stat.h>
#include <time.h>

#include "runtime/init/console.h"

namespace ros {

void move_clock_past(const fs::path& witness) noexcept {
  struct stat info = {};
  timespec now{};
  if (::stat(witness.c_str(), &info) != 0 || ::clock_gettime(CLOCK_REALTIME, &now) != 0 ||
      now.tv_sec >= info.st_mtim.tv_sec)
    return;
  if (::clock_settime(CLOCK_REALTIME, &info.st_mtim) == 0)
    announce("the clock was behind the newest known time and is set to that");
}

}  // namespace ros
