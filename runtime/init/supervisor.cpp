#include "runtime/init/supervisor.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/timeline.h"
#include "runtime/init/console.h"

namespace ros {
namespace {

constexpr double kLongEnough = 10;  // seconds: a run of this length starts the pauses anew
constexpr double kFirstPause = 1, kLongestPause = 30;

Fd take_signals() {
  sigset_t taken;
  ::sigemptyset(&taken);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGPWR, SIGHUP, SIGPIPE})
    ::sigaddset(&taken, number);
  ::pthread_sigmask(SIG_BLOCK, &taken, nullptr);
  Fd fd{::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!fd) throw Error::from_errno("cannot take signals");
  return fd;
}

}  // namespace

Supervisor::Supervisor() : signals_{take_signals()} {}

void Supervisor::start(const std::string& name, Kept& kept) {
  kept.started = uptime();
  try {
    kept.pid = spawn(kept.command());
  } catch (const std::exception& error) {
    kept.again = kept.started + kLongestPause;
    log::error(fmt::format("{}: {}", name, error.what()));
  }
}

void Supervisor::keep(const std::string& name, Command command) {
  keep(name, [made = std::move(command)] { return made; });
}

void Supervisor::keep(const std::string& name, std::function<Command()> command) {
  auto& kept = kept_[name];
  kept.command = std::move(command);
  start(name, kept);
}

pid_t Supervisor::once(Command command, std::function<void(int)> ended) {
  const pid_t pid = spawn(command);
  once_[pid] = std::move(ended);
  return pid;
}

void Supervisor::power_off_on(int fd, std::function<bool()> ready) {
  button_ = fd;
  pressed_ = std::move(ready);
}

void Supervisor::collected(pid_t pid, int status) {
  if (const auto found = once_.find(pid); found != once_.end()) {
    const auto ended = std::move(found->second);
    once_.erase(found);
    if (ended) ended(exit_status(status));
    return;
  }
  for (auto& [name, kept] : kept_) {
    if (kept.pid != pid) continue;
    kept.pid = 0;
    if (stopping_) return;
    const double now = uptime();
    kept.pause = now - kept.started >= kLongEnough
                     ? 0
                     : std::clamp(kept.pause * 2, kFirstPause, kLongestPause);
    kept.again = now + kept.pause;
    const std::string line =
        fmt::format("{} ended with status {}; it is started again{}", name, exit_status(status),
                    kept.pause > 0 ? fmt::format(" in {:.0f} s", kept.pause) : "");
    if (exit_status(status) == 0) return log::info(line);  // somebody asked it to
    announce_error(line);
  }
}

void Supervisor::reap() {
  int status = 0;
  while (true) {
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    collected(pid, status);
  }
}

std::vector<Ending> Supervisor::wait(double until) {
  pollfd waiting[] = {{signals_.get(), POLLIN, 0}, {button_, POLLIN, 0}};
  const double left = until - uptime();
  ::poll(waiting, 2, until > 0 ? static_cast<int>(std::ceil(std::max(left, 0.0) * 1000)) : -1);
  std::vector<Ending> asked;
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) asked.push_back(Ending::reboot);
    if (info.ssi_signo == SIGUSR2 || info.ssi_signo == SIGPWR) asked.push_back(Ending::poweroff);
    if (info.ssi_signo == SIGUSR1) asked.push_back(Ending::halt);
  }
  if (waiting[1].revents && pressed_()) asked.push_back(Ending::poweroff);
  reap();
  return asked;
}

Ending Supervisor::run() {
  reap();
  for (;;) {
    double next = 0;
    for (auto& [name, kept] : kept_) {
      if (kept.pid == 0 && kept.again <= uptime()) start(name, kept);
      if (kept.pid == 0) next = next > 0 ? std::min(next, kept.again) : kept.again;
    }
    if (const auto asked = wait(next); !asked.empty()) return asked.front();
  }
}

bool Supervisor::wait_until(const std::function<bool()>& done, double deadline) {
  reap();
  while (!done()) {
    if (uptime() >= deadline) return false;
    wait(deadline);
  }
  return true;
}

bool Supervisor::finish(Command command, double deadline) {
  stopping_ = true;
  int result = -1;
  const pid_t pid = once(std::move(command), [&](int status) { result = status; });
  if (wait_until([&] { return result >= 0; }, deadline)) return result == 0;
  ::kill(pid, SIGKILL);
  once_[pid] = nullptr;
  return false;
}

void Supervisor::stop(const std::string& name, int signal, double deadline) {
  stopping_ = true;
  const auto found = kept_.find(name);
  if (found == kept_.end() || found->second.pid == 0) return;
  ::kill(found->second.pid, signal);
  if (!wait_until([&] { return found->second.pid == 0; }, deadline))
    log::error(fmt::format("{} does not end", name));
}

void Supervisor::end_everything(double deadline) {
  stopping_ = true;
  const auto nobody = [] {
    // Kernel threads are no children of ours; ECHILD means that all are gone.
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0;
  };
  ::kill(-1, SIGTERM);
  ::kill(-1, SIGCONT);
  if (wait_until(nobody, deadline)) return;
  ::kill(-1, SIGKILL);
  wait_until(nobody, uptime() + 5);
}

}  // namespace ros
