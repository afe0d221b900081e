#include "runtime/ros/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"

extern char** environ;

namespace ros {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostOutput = 1 << 20;

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> environment_with(const std::vector<std::string>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; entry && *entry; ++entry) {  // nullptr after clearenv(3)
    const std::string_view text = *entry;
    bool replaced = false;
    for (const auto& item : added) {
      replaced = replaced || text.starts_with(item.substr(0, item.find('=') + 1));
    }
    if (!replaced) all.emplace_back(text);
  }
  all.insert(all.end(), added.begin(), added.end());
  return all;
}

std::string read_until_end(int fd, std::size_t limit, const Patience& patience) {
  std::string bytes;
  char buffer[64 * 1024];
  for (;;) {
    patience.wait(fd, POLLIN);
    const auto count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error::from_errno("read");
    if (count == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(count));
    if (bytes.size() > limit) {
      throw Error{fmt::format("the answer is larger than {}", human_size(limit))};
    }
  }
}

int status_of(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

}  // namespace

pid_t spawn(const std::vector<std::string>& argv, const SpawnOptions& options) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  if (options.input >= 0) {
    posix_spawn_file_actions_adddup2(&files, options.input, 0);
  } else {
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  }
  if (options.output >= 0) posix_spawn_file_actions_adddup2(&files, options.output, 1);
  if (options.errors_too) posix_spawn_file_actions_adddup2(&files, 1, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (options.new_session) flags |= POSIX_SPAWN_SETSID;
  posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
  const auto variables = environment_with(options.environment);
  pid_t pid = 0;
  const int code = posix_spawnp(&pid, argv.front().c_str(), &files, &attributes,
                                pointers(argv).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (code != 0) {
    errno = code;
    throw Error::from_errno("cannot start " + argv.front());
  }
  return pid;
}

int wait_for(pid_t pid) {
  int raw = 0;
  while (::waitpid(pid, &raw, 0) < 0) {
    if (errno != EINTR) throw Error::from_errno("waitpid");
  }
  return status_of(raw);
}

int run(const std::vector<std::string>& argv, const SpawnOptions& options) {
  return wait_for(spawn(argv, options));
}

Captured capture_bounded(const std::vector<std::string>& argv, std::string_view input,
                         std::size_t limit, const Patience& patience, SpawnOptions options) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) throw Error::from_errno("pipe");
  Fd in_read{in[0]}, in_write{in[1]};
  if (::pipe2(out, O_CLOEXEC) != 0) throw Error::from_errno("pipe");
  Fd out_read{out[0]}, out_write{out[1]};
  options.input = in_read.get();
  options.output = out_write.get();
  const pid_t pid = spawn(argv, options);
  in_read.reset();
  out_write.reset();
  // A writer of its own: both pipes may fill up.
  std::thread writer{[&] {
    try {
      write_all(in_write.get(), input);
    } catch (const Error&) {  // it ended without reading everything; its status tells
    }
    in_write.reset();
  }};
  Captured captured;
  try {
    captured.output = read_until_end(out_read.get(), limit, patience);
  } catch (const std::exception& error) {
    ::kill(pid, SIGKILL);
    writer.join();
    wait_for(pid);
    throw Error{fmt::format("{}: {}", argv.front(), error.what())};
  }
  writer.join();
  captured.status = wait_for(pid);
  return captured;
}

std::string capture(const std::vector<std::string>& argv, std::string_view input) {
  auto [status, output] = capture_bounded(argv, input, std::string::npos);
  if (status != 0) throw Error{fmt::format("{} ended with status {}", quote(argv), status)};
  return std::move(output);
}

Captured try_program(const std::vector<std::string>& argv, std::string_view input) {
  return capture_bounded(argv, input, kMostOutput, {}, {.errors_too = true});
}

std::string run_program(const std::vector<std::string>& argv, std::string_view input) {
  auto [status, output] = try_program(argv, input);
  if (status == 0) return std::move(output);
  std::vector<std::string> said;
  for (const auto& line : split(output, '\n')) {
    const auto text = trim(line);
    if (!text.empty() && !text.starts_with("dmesg(1)"))
      said.emplace_back(text);  // mount(8)'s advice
  }
  if (said.empty()) said.push_back(fmt::format("status {}", status));
  throw Error{fmt::format("{}: {}", quote(argv), join(said, "; ")), Error::Kind::tool};
}

void exec(const std::vector<std::string>& argv, const std::vector<std::string>& environment) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const auto variables = environment_with(environment);
  ::execvpe(argv.front().c_str(), pointers(argv).data(), pointers(variables).data());
  throw Error::from_errno("cannot start " + argv.front());
}

int keep_running(const std::vector<std::vector<std::string>>& argvs) {
  sigset_t watched;
  sigemptyset(&watched);
  for (const int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&watched, number);
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  const Fd signals{::signalfd(-1, &watched, SFD_CLOEXEC)};

  struct Child {
    pid_t pid = 0;
    Clock::time_point due;
  };
  std::vector<Child> children(argvs.size());
  bool stopping = false;
  const auto stop = [&] {
    stopping = true;
    for (const auto& child : children) {
      if (child.pid > 0) ::kill(child.pid, SIGTERM);
    }
  };
  for (;;) {
    int timeout = -1;
    bool alive = false;
    for (std::size_t i = 0; i < children.size(); ++i) {
      auto& child = children[i];
      const auto now = Clock::now();
      if (child.pid == 0 && !stopping && now >= child.due) {
        child.due = now + std::chrono::seconds{1};
        try {
          SpawnOptions options;
          options.new_session = true;
          child.pid = spawn(argvs[i], options);
        } catch (const Error& error) {
          log::error(error.what());
        }
      }
      if (child.pid == 0 && !stopping) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(child.due - now).count();
        const int wait = static_cast<int>(std::max<long>(left, 1));
        timeout = timeout < 0 ? wait : std::min(timeout, wait);
      }
      alive = alive || child.pid > 0;
    }
    if (stopping && !alive) return 0;
    pollfd poll_fd{signals.get(), POLLIN, 0};
    if (::poll(&poll_fd, 1, timeout) <= 0) continue;
    signalfd_siginfo info{};
    if (::read(signals.get(), &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo != SIGCHLD) {
      stop();
      continue;
    }
    for (pid_t pid = 0; (pid = ::waitpid(-1, nullptr, WNOHANG)) > 0;) {
      for (auto& child : children) {
        if (child.pid == pid) child.pid = 0;
      }
    }
  }
}

}  // namespace ros
