#include "tests/support/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "runtime/base/error.h"

namespace proof {

Child::Child(const std::vector<std::string>& argv, const std::vector<std::string>& environment) {
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0)
    throw ros::Error::from_errno("pipe");
  ros::Fd child_in{in[0]};
  ros::Fd child_out{out[1]};
  in_ = ros::Fd{in[1]};
  out_ = ros::Fd{out[0]};

  std::vector<char*> arguments;
  for (const auto& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  pid_ = ::fork();
  if (pid_ < 0) throw ros::Error::from_errno("fork");
  if (pid_ == 0) {
    // A test that is killed must not leave a machine running.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(child_in.get(), 0);
    ::dup2(child_out.get(), 1);
    ::dup2(child_out.get(), 2);
    for (const auto& variable : environment) ::putenv(const_cast<char*>(variable.c_str()));
    ::execvp(arguments[0], arguments.data());
    std::perror(arguments[0]);
    ::_exit(127);
  }
  process_ = ros::Fd{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0))};
  child_out.reset();
  reader_ = std::thread([this] { read_output(); });
}

Child::~Child() {
  if (running()) signal(SIGKILL);
  wait(seconds{30});
  // A grandchild may hold the pipe; closing our end would not wake read(2), so
  // read_output() also watches the process itself.
  if (reader_.joinable()) reader_.join();
}

void Child::type(std::string_view text) { ros::write_all(in_.get(), text); }

void Child::signal(int number) {
  if (running()) ::syscall(SYS_pidfd_send_signal, process_.get(), number, nullptr, 0);
}

bool Child::running() { return !wait(seconds{0}); }

std::optional<int> Child::wait(seconds limit) {
  if (status_) return status_;
  pollfd polled{process_.get(), POLLIN, 0};
  ::poll(&polled, 1, static_cast<int>(limit.count() * 1000));
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_;
}

std::string Child::output() const {
  std::lock_guard lock{mutex_};
  return output_;
}

std::string Child::wait_output(std::size_t size, std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock{mutex_};
  changed_.wait_until(lock, deadline, [&] { return output_.size() > size || ended_; });
  return output_;
}

void Child::read_output() {
  char buffer[65536];
  for (;;) {
    pollfd polled[2] = {{out_.get(), POLLIN, 0}, {process_.get(), POLLIN, 0}};
    if (::poll(polled, 2, -1) < 0) continue;
    if (polled[0].revents != 0) {
      const ssize_t count = ::read(out_.get(), buffer, sizeof buffer);
      if (count <= 0) break;
      std::lock_guard lock{mutex_};
      output_.append(buffer, static_cast<std::size_t>(count));
      changed_.notify_all();
    } else if (polled[1].revents != 0) {
      break;  // it has ended, and everything it wrote has been read
    }
  }
  std::lock_guard lock{mutex_};
  ended_ = true;
  changed_.notify_all();
}

}  // namespace proof
