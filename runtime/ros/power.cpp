// reboot, poweroff, halt and shutdown: ask PID 1, which does the rest in order.
#include <fmt/format.h>
#include <signal.h>
#include <sys/reboot.h>
#include <unistd.h>

#include <cstdio>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
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
    "usage: reboot | poweroff | halt [-f]\n"
    "       shutdown [-r | -h | -H] [now [MESSAGE]]\n"
    "\n"
    "Stops user containers, then system services, unmounts, and then reboots,\n"
    "powers off or halts.\n"
    "  -f, --force  at once: nothing is stopped, only written data is synced\n";

}  // namespace

int power_verb(const std::string& name, const Arguments& arguments) {
  bool force = false;
  std::string action = name == "shutdown" ? "poweroff" : name;
  bool message = false;  // all that follows the time, shutdown(8)
  for (const auto& argument : arguments) {
    if (message) break;
    if (argument == "-f" || argument == "--force") {
      force = true;
    } else if (argument == "-r" || argument == "--reboot") {
      action = "reboot";
    } else if (argument == "-h" || argument == "-P" || argument == "-p" ||
               argument == "--poweroff") {
      action = "poweroff";
    } else if (argument == "-H" || argument == "--halt") {
      action = "halt";
    } else if (argument == "--help") {
      std::fputs(kHelp, stdout);
      return 0;
    } else if (name == "shutdown" && (argument == "now" || argument == "+0")) {
      message = true;
    } else {
      throw Error{fmt::format("{}: unknown argument {}", name, argument), Error::Kind::usage}.hint(
          name + " --help");
    }
  }
  require_root();
  const Action what = action_of(action);
  ::sync();
  if (force) {
    ::reboot(what.command);
    throw Error::from_errno(action);
  }
  if (::kill(1, what.signal) != 0) throw Error::from_errno("cannot signal init");
  return 0;
}

}  // namespace ros
