#include "runtime/init/rescue.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <string>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/init/child.h"
#include "runtime/init/console.h"
#include "runtime/init/shutdown.h"

namespace ros {
namespace {

constexpr unsigned kReadingSeconds = 60;  // before a machine without a shell reboots

void crashed(int number) {
  // Only what signal-safety(7) allows.
  char name[] = "init", argument[] = "--rescue", signal_text[] = "00";
  signal_text[0] = static_cast<char>('0' + number / 10);
  signal_text[1] = static_cast<char>('0' + number % 10);
  char* const arguments[] = {name, argument, signal_text, nullptr};
  char* const environment[] = {nullptr};
  ::execve("/proc/self/exe", arguments, environment);
  for (;;) ::pause();
}

std::vector<std::string> shell() {
  if (fs::exists("/bin/bash")) return {"/bin/bash", "--login"};
  // The initramfs has busybox alone: give its applets their names.
  run({"/bin/busybox", "--install", "-s", "/bin"});
  return {"/bin/sh", "-l"};
}

}  // namespace

void catch_crashes() noexcept {
  struct sigaction action{};
  action.sa_handler = crashed;
  action.sa_flags = SA_NODEFER | SA_RESETHAND;
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
    ::sigaction(number, &action, nullptr);
}

void recovery_console(std::string_view reason) noexcept {
  try {
    if (!reason.empty()) announce_error(reason);
    announce("recovery console: look around as root; `exit` reboots");
    const auto argv = shell();
    std::map<pid_t, std::string> shells;
    for (const auto& tty : active_consoles()) shells[spawn({.argv = argv, .tty = tty})] = tty;
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, 0);
      if (pid < 0 && errno != EINTR) break;
      if (const auto found = shells.find(pid); found != shells.end()) {
        shells.erase(found);
        if (exit_status(status) != 127) break;  // 127: the console is not there
        if (shells.empty()) throw Error{"no console takes a shell"};
      }
    }
    announce("rebooting");
  } catch (const std::exception& error) {
    announce_error(error.what());
    ::sleep(kReadingSeconds);
  }
  end_machine(Ending::reboot);
}

}  // namespace ros
