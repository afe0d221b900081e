// reboot, poweroff, halt and shutdown: ask PID 1, which does the rest in order.
#include "runtime/ros/power.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/in_time.h"
#include "runtime/base/text.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

struct Action {
  int signal;   // what init understands (as busybox's init does)
  int command;  // reboot(2)
};

Action action_of(const std::string& name) {
  // The constants of reboot(2) are unsigned in the header and int in the call.
  if (name == "reboot") return {SIGTERM, static_cast<int>(RB_AUTOBOOT)};
  if (name == "halt") return {SIGUSR1, static_cast<int>(RB_HALT_SYSTEM)};
  return {SIGUSR2, static_cast<int>(RB_POWER_OFF)};
}

constexpr const char* kHelp =
    "usage: reboot | poweroff | halt [-f] [-p]\n"
    "       shutdown [-f] [-r | -h | -H] [now | +MINUTES | HH:MM [MESSAGE...]]\n"
    "       shutdown -c\n"
    "\n"
    "Stops user containers, then system services, unmounts, and then reboots,\n"
    "powers off or halts. Options may stand anywhere; after -- there are none.\n"
    "  -f, --force     at once: nothing is stopped, only written data is synced\n"
    "  -p, --poweroff  powers off, whatever the name\n"
    "      --help      this; so does -h of reboot, poweroff and halt\n"
    "Of shutdown only:\n"
    "  -r, --reboot    reboots\n"
    "  -h, -P          power off, as shutdown does without an option\n"
    "  -H, --halt      halts\n"
    "  -c, --cancel    a shutdown that waits for its time does not happen\n";

constexpr const char* kWaiting = "/run/ros/shutdown";  // the number of the process that waits

// True when there was one that waits.
bool cancel_waiting() {
  const std::string text{trim(try_read_file(kWaiting).value_or(""))};
  boost::system::error_code absent;
  fs::remove(kWaiting, absent);
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  const Fd process{pid > 1 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1};
  // Another program may have its number by now.
  return process &&
         fs::read_symlink(fmt::format("/proc/{}/exe", pid), absent).filename() == "ros" &&
         ::syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, nullptr, 0) == 0;
}

// Returns in a process of its own once it is time; the caller's ends with status 0.
void wait_detached(std::time_t when, const std::string& action) {
  cancel_waiting();  // the last word counts
  const pid_t pid = ::fork();
  if (pid < 0) throw Error::from_errno("cannot wait");
  std::tm local{};
  ::localtime_r(&when, &local);
  if (pid > 0) {
    write_file_atomically(kWaiting, fmt::format("{}\n", pid));
    announce(fmt::format("rancheros: {} at {:02}:{:02}; `shutdown -c` cancels it", action,
                         local.tm_hour, local.tm_min));
    std::exit(0);
  }
  ::setsid();
  const Fd nowhere = open_file("/dev/null", O_RDWR);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere.get(), fd);
  const timespec until{when, 0};
  while (::clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, nullptr) != 0) {
  }
  boost::system::error_code absent;
  fs::remove(kWaiting, absent);
}

}  // namespace

std::optional<std::time_t> shutdown_time(const std::string& text, std::time_t now) {
  const auto number = [](std::string_view digits, int limit) {
    int value = -1;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return code == std::errc{} && end == digits.data() + digits.size() && value <= limit ? value
                                                                                         : -1;
  };
  if (text == "now") return now;
  if (text.starts_with('+')) {
    constexpr int kYear = 366 * 24 * 60;
    const int minutes = number(text.substr(1), kYear);
    if (minutes < 0) return std::nullopt;
    return now + 60 * minutes;
  }
  const auto parts = split(text, ':');
  if (parts.size() != 2) return std::nullopt;
  const int hour = number(parts[0], 23), minute = number(parts[1], 59);
  if (hour < 0 || minute < 0) return std::nullopt;
  std::tm local{};
  ::localtime_r(&now, &local);
  const bool tomorrow = hour * 60 + minute <= local.tm_hour * 60 + local.tm_min;
  local.tm_mday += tomorrow ? 1 : 0;
  local.tm_hour = hour;
  local.tm_min = minute;
  local.tm_sec = 0;
  local.tm_isdst = -1;
  return ::mktime(&local);
}

PowerRequest power_request(const std::string& name, const Arguments& arguments, std::time_t now) {
  const bool timed = name == "shutdown";
  PowerRequest request;
  request.action = timed ? "poweroff" : name;
  bool options = true;
  for (const auto& argument : arguments) {
    const auto is = [&](std::initializer_list<const char*> names) {
      return std::ranges::find(names, argument) != names.end();
    };
    if (options && argument.size() > 1 && argument[0] == '-') {
      if (is({"--"})) {
        options = false;
      } else if (is({"--help"}) || (!timed && is({"-h"}))) {
        request.help = true;
      } else if (is({"-f", "--force"})) {
        request.force = true;
      } else if (is({"-p", "--poweroff"}) || (timed && is({"-h", "-P"}))) {
        request.action = "poweroff";
      } else if (timed && is({"-r", "--reboot"})) {
        request.action = "reboot";
      } else if (timed && is({"-H", "--halt"})) {
        request.action = "halt";
      } else if (timed && is({"-c", "--cancel"})) {
        request.cancel = true;
      } else {
        throw Error{fmt::format("{}: unknown option {}", name, argument), Error::Kind::usage}.hint(
            name + " --help");
      }
    } else if (request.when) {
      request.message += " " + argument;
    } else if (const auto time = timed ? shutdown_time(argument, now) : std::nullopt) {
      request.when = time;
    } else {
      throw Error{fmt::format("{}: unknown argument {}", name, argument), Error::Kind::usage}.hint(
          timed ? "a time is now, +MINUTES or HH:MM; see shutdown --help" : name + " --help");
    }
  }
  return request;
}

int power_verb(const std::string& name, const Arguments& arguments) {
  const std::time_t now = std::time(nullptr);
  const PowerRequest request = power_request(name, arguments, now);
  if (request.help) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  require_root();
  if (request.cancel) {
    if (!cancel_waiting()) throw Error{"no shutdown waits for its time"};
    announce("rancheros: the shutdown is cancelled");
    return 0;
  }
  if (!request.message.empty()) announce("rancheros:" + request.message);
  if (request.when.value_or(now) > now) wait_detached(*request.when, request.action);
  const Action what = action_of(request.action);
  if (request.force) {
    in_time(::sync);
    ::reboot(what.command);
    throw Error::from_errno(request.action);
  }
  if (::kill(1, what.signal) != 0) throw Error::from_errno("cannot signal init");
  return 0;
}

}  // namespace ros
