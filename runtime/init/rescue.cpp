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
#include "runtime/base/timeline.h"
#include "runtime/init/child.h"
#include "runtime/init/console.h"
#include "runtime/init/shutdown.h"
#include "runtime/init/trial.h"

namespace ros {
namespace {

constexpr const char* kMessage = "/run/ros/recovery";
constexpr unsigned kReadingSeconds = 60;  // before a machine without a shell reboots
constexpr double kAtOnce = 2;             // seconds

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

// Those by which `reboot` and its like ask (runtime/ros/power.cpp), and the power supply.
sigset_t take_signals() {
  sigset_t taken;
  ::sigemptyset(&taken);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGPWR})
    ::sigaddset(&taken, number);
  ::pthread_sigmask(SIG_BLOCK, &taken, nullptr);
  return taken;
}

// Read by every login shell, so that who comes by ssh learns it too.
void leave_message(std::string_view reason) {
  fs::create_directories(fs::path{kMessage}.parent_path());
  fs::create_directories("/etc/profile.d");
  write_file(kMessage, fmt::format("This is the recovery console: {}\n"
                                   "No container runs. `reboot` leaves it.\n",
                                   reason));
  write_file("/etc/profile.d/recovery.sh", fmt::format("cat {}\n", kMessage));
}

// How a shell's end, or somebody by ssh, wants the machine to go on. `shells`: when they were
// started.
Ending wait_for_end(const sigset_t& taken, std::map<pid_t, double>& shells) {
  for (;;) {
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto shell = shells.find(pid);
      if (shell == shells.end()) continue;
      // 127 at once: the console is not there. Later, the last command before `exit` was not.
      if (exit_status(status) != 127 || uptime() - shell->second >= kAtOnce) return Ending::reboot;
      shells.erase(shell);
      if (shells.empty()) throw Error{"no console takes a shell"};
    }
    const int number = ::sigwaitinfo(&taken, nullptr);
    if (number == SIGTERM || number == SIGINT) return Ending::reboot;
    if (number == SIGUSR2 || number == SIGPWR) return Ending::poweroff;
    if (number == SIGUSR1) return Ending::halt;
  }
}

}  // namespace

void catch_crashes() noexcept {
  struct sigaction action = {};
  action.sa_handler = crashed;
  action.sa_flags = SA_NODEFER | SA_RESETHAND;
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
    ::sigaction(number, &action, nullptr);
}

void recovery_console(std::string_view reason) noexcept {
  Ending ending = Ending::reboot;
  try {
    const sigset_t taken = take_signals();
    if (!reason.empty()) announce_error(reason);
    if (end_trial(reason)) end_without_services(Ending::reboot);
    announce("recovery console: look around as root; `exit` reboots");
    leave_message(reason);
    const auto argv = shell();
    std::map<pid_t, double> shells;
    for (const auto& tty : active_consoles()) shells[spawn({.argv = argv, .tty = tty})] = uptime();
    // Without the layers there is neither `ros` nor sshd.
    if (fs::exists("/usr/bin/ros")) spawn({.argv = {"ros", "recovery"}});
    ending = wait_for_end(taken, shells);
    announce(ending == Ending::reboot ? "rebooting" : "going down");
  } catch (const std::exception& error) {
    announce_error(error.what());
    ::sleep(kReadingSeconds);
  }
  end_without_services(ending);
}

}  // namespace ros
