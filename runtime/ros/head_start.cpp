#include "runtime/ros/head_start.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

constexpr const char* kPidFile = "/run/ros/user-docker.pid";
constexpr const char* kOutput = "/run/ros/user-docker.log";  // a FIFO

// "0::/system/ID", cgroups(7).
fs::path own_cgroup() {
  for (const auto& line : split(read_file("/proc/self/cgroup"), '\n')) {
    if (line.starts_with("0::/")) return "/sys/fs/cgroup" + line.substr(3);
  }
  throw Error{"/proc/self/cgroup names no cgroup of version 2"};
}

void give_what_the_container_has(pid_t pid) {
  write_file(own_cgroup() / "cgroup.procs", fmt::format("{}\n", pid));
  write_file(fmt::format("/proc/{}/oom_score_adj", pid), read_file("/proc/self/oom_score_adj"));
  for (const auto resource : {RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_CORE, RLIMIT_MEMLOCK}) {
    rlimit limit{};
    if (::getrlimit(resource, &limit) != 0 || ::prlimit(pid, resource, &limit, nullptr) != 0) {
      throw Error::from_errno("cannot set the limits of user Docker");
    }
  }
}

void copy_output(int from) {
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count <= 0) return;  // EAGAIN: that is all for now
    (void)!::write(STDERR_FILENO, buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

bool may_start_ahead(const std::vector<Service>& services) {
  return std::ranges::any_of(services, [](const Service& service) {
    return service.name == "docker" && service.system && service.after.empty() &&
           service.chosen.empty() && service.spec.image == kSystemImage &&
           service.spec.entrypoint.empty() &&
           service.spec.command == std::vector<std::string>{"ros", "user-docker"};
  });
}

void start_ahead() {
  if (find_ahead()) return;
  if (const int status = run({"/proc/self/exe", "user-docker", "--ahead"}); status != 0) {
    throw Error{fmt::format("user Docker could not be started ahead (status {})", status)};
  }
}

void detach_ahead() {
  boost::system::error_code ignored;
  fs::remove(kOutput, ignored);
  if (::mkfifo(kOutput, 0600) != 0) throw Error::from_errno("cannot make a FIFO for user Docker");
  // Both ends are the daemon's: it is never told that nobody reads.
  const Fd output = open_file(kOutput, O_RDWR);
  const pid_t pid = ::fork();
  if (pid < 0) throw Error::from_errno("cannot start user Docker");
  if (pid > 0) {
    write_file_atomically(kPidFile, fmt::format("{}\n", pid));
    ::_exit(0);
  }
  ::setsid();
  ::dup2(output.get(), STDOUT_FILENO);
  ::dup2(output.get(), STDERR_FILENO);
}

std::optional<AheadDaemon> find_ahead() {
  const std::string text{trim(try_read_file(kPidFile).value_or(""))};
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  if (pid <= 0) return {};
  AheadDaemon daemon{pid, Fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))}};
  boost::system::error_code error;
  const auto program = fs::read_symlink(fmt::format("/proc/{}/exe", pid), error).filename();
  // `ros` is what becomes the daemon. Any other program has the number of one that ended.
  if (!daemon.process || (program != "dockerd" && program != "ros")) return {};
  return daemon;
}

int take_over(const AheadDaemon& daemon) {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1}) ::sigaddset(&wanted, number);
  ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
  const Fd signals{::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!signals) throw Error::from_errno("cannot receive signals");
  const Fd output = open_file(kOutput, O_RDONLY | O_NONBLOCK);
  give_what_the_container_has(daemon.pid);

  bool asked_to_end = false;
  pollfd waiting[] = {
      {daemon.process.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}, {output.get(), POLLIN, 0}};
  while (waiting[0].revents == 0) {
    if (::poll(waiting, std::size(waiting), -1) < 0 && errno != EINTR) {
      throw Error::from_errno("cannot wait for user Docker");
    }
    signalfd_siginfo received{};
    while (::read(signals.get(), &received, sizeof received) == sizeof received) {
      const int number = static_cast<int>(received.ssi_signo);
      asked_to_end |= number != SIGHUP && number != SIGUSR1;
      ::syscall(SYS_pidfd_send_signal, daemon.process.get(), number, nullptr, 0);
    }
    copy_output(output.get());
  }
  return asked_to_end ? 0 : 1;
}

}  // namespace ros
