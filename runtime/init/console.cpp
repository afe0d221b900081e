#include "runtime/init/console.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "runtime/base/log.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

// A console that takes nothing (a serial port with flow control and nobody at
// the other end) must not hold up the boot.
constexpr int kConsoleWaitMs = 500;

void write_to(const std::string& name, std::string_view text) {
  const Fd tty{::open(("/dev/" + name).c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
  if (!tty) return;
  while (!text.empty()) {
    const auto count = ::write(tty.get(), text.data(), text.size());
    if (count > 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    pollfd writable{tty.get(), POLLOUT, 0};
    if (errno != EAGAIN || ::poll(&writable, 1, kConsoleWaitMs) <= 0) return;
  }
}

void announce_lines(std::string_view prefix, std::string_view text) noexcept {
  try {
    for (const auto& line : split(text, '\n')) {
      if (line.empty()) continue;
      const std::string out = fmt::format("rancheros: {}{}\r\n", prefix, line);
      for (const auto& name : active_consoles()) write_to(name, out);
    }
  } catch (const std::exception&) {  // no memory: the boot goes on without the line
  }
}

}  // namespace

std::vector<std::string> active_consoles(const Paths& paths) {
  auto names = words(try_read_file(paths.sys / "class/tty/console/active").value_or(""));
  if (names.empty()) names.push_back("console");
  return names;
}

void announce(std::string_view line) noexcept {
  log::info(line);
  announce_lines("", line);
}

void announce_error(std::string_view line) noexcept {
  // Not as an error: the kernel would show it on the consoles a second time.
  log::info(line);
  announce_lines("error: ", line);
}

}  // namespace ros
