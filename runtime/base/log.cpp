#include "runtime/base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <mutex>

namespace ros::log {
namespace {

// A line of /dev/kmsg is at most 1024 bytes less the prefix (LOG_LINE_MAX of
// the kernel's printk); longer ones are cut.
constexpr std::size_t kLineMax = 960;
constexpr std::size_t kKeptMax = 64;

struct State {
  std::mutex mutex;
  char name[32] = "rancheros";
  int kmsg = -1;
  bool debug = false;
  std::array<std::array<char, kLineMax>, kKeptMax> kept{};
  std::size_t kept_count = 0;
};

State& state() {
  static State instance;
  return instance;
}

bool open_kmsg(State& s) noexcept {
  if (s.kmsg < 0) s.kmsg = ::open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
  return s.kmsg >= 0;
}

void emit(int priority, std::string_view line) noexcept {
  State& s = state();
  const std::lock_guard guard{s.mutex};
  std::array<char, kLineMax> text{};
  std::snprintf(text.data(), text.size(), "<%d>%.31s: %.*s\n", priority, s.name,
                static_cast<int>(std::min<std::size_t>(line.size(), 900)), line.data());
  if (!open_kmsg(s)) {
    if (s.kept_count < kKeptMax) s.kept[s.kept_count++] = text;
    return;
  }
  for (std::size_t i = 0; i < s.kept_count; ++i)
    (void)!::write(s.kmsg, s.kept[i].data(), std::strlen(s.kept[i].data()));
  s.kept_count = 0;
  (void)!::write(s.kmsg, text.data(), std::strlen(text.data()));
}

}  // namespace

void set_name(std::string_view program) {
  State& s = state();
  const std::lock_guard guard{s.mutex};
  std::snprintf(s.name, sizeof s.name, "%.*s", static_cast<int>(program.size()), program.data());
}

// syslog(3) priorities of facility daemon (3 << 3): 3 err, 6 info, 7 debug.
void error(std::string_view line) noexcept { emit(3 << 3 | 3, line); }
void info(std::string_view line) noexcept { emit(3 << 3 | 6, line); }
void debug(std::string_view line) noexcept {
  if (state().debug) emit(3 << 3 | 7, line);
}
void set_debug(bool on) noexcept { state().debug = on; }

}  // namespace ros::log
