#include "runtime/init/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "runtime/base/error.h"
#include "runtime/base/fd.h"

namespace ros {
namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr rlim_t kOpenFiles = 1'048'576;  // the kernel's fs.nr_open
constexpr int kFirstListenFd = 3;         // SD_LISTEN_FDS_START

void reset_signals() {
  sigset_t none;
  ::sigemptyset(&none);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void set_limits(int oom_score) {
  const rlimit files{kOpenFiles, kOpenFiles};
  ::setrlimit(RLIMIT_NOFILE, &files);
  const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
  ::setrlimit(RLIMIT_NPROC, &all);
  if (oom_score == 0) return;
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  std::array<char, 12> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), oom_score).ptr;
  (void)!::write(fd, text.data(), static_cast<std::size_t>(end - text.data()));
}

}  // namespace

void set_path() { ::setenv("PATH", kPath, 1); }

// Between fork and exec only system calls are made: other threads may hold
// locks. What needs memory is made ready before.
pid_t spawn(const Command& command) {
  std::vector<char*> argv;
  for (const auto& argument : command.argv) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::array<char, 32> listen_pid{"LISTEN_PID="};
  char* const listen_digits = listen_pid.data() + 11;
  const std::string path = fmt::format("PATH={}", kPath);
  std::vector<const char*> environment{path.c_str(), "HOME=/root", "TERM=linux"};
  for (const auto& variable : command.environment) environment.push_back(variable.c_str());
  if (command.listen >= 0) {
    environment.push_back("LISTEN_FDS=1");
    environment.push_back(listen_pid.data());
  }
  environment.push_back(nullptr);
  const std::string tty = "/dev/" + command.tty;

  const pid_t pid = ::fork();
  if (pid < 0) throw Error::from_errno("cannot start " + command.argv.at(0));
  if (pid > 0) return pid;

  reset_signals();
  ::setsid();
  set_limits(command.oom_score);
  if (!command.tty.empty()) {
    const int terminal = ::open(tty.c_str(), O_RDWR);
    if (terminal < 0) ::_exit(127);
    ::ioctl(terminal, TIOCSCTTY, 1);
    for (int fd = 0; fd < 3; ++fd) ::dup2(terminal, fd);
    if (terminal > 2) ::close(terminal);
  } else {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(command.input >= 0 ? command.input : null, 0);
    for (int fd = 1; fd < 3; ++fd) ::dup2(command.output >= 0 ? command.output : null, fd);
  }
  if (command.listen >= 0) {
    *std::to_chars(listen_digits, listen_pid.data() + listen_pid.size() - 1, ::getpid()).ptr = '\0';
    if (command.listen == kFirstListenFd)
      ::fcntl(command.listen, F_SETFD, 0);
    else
      ::dup2(command.listen, kFirstListenFd);
  }
  ::execvpe(argv[0], argv.data(), const_cast<char* const*>(environment.data()));
  ::_exit(127);
}

int exit_status(int status) noexcept {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return 127;
  return exit_status(status);
}

int run(const std::vector<std::string>& argv, int output) {
  return wait_for(spawn({.argv = argv, .output = output}));
}

int run_with_input(const std::vector<std::string>& argv, std::string_view input) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Error::from_errno("cannot make a pipe");
  const Fd reading{ends[0]};
  Fd writing{ends[1]};
  const auto count = ::write(writing.get(), input.data(), input.size());
  if (count != static_cast<ssize_t>(input.size()))
    throw Error::from_errno("cannot write to " + argv.at(0));
  writing.reset();
  return wait_for(spawn({.argv = argv, .input = reading.get()}));
}

}  // namespace ros
