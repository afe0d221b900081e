// Boost.Process compiles its own sources into this file (src.hpp below).
#define BOOST_PROCESS_V2_SEPARATE_COMPILATION 1

#include "builder/os/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/process/v2/environment.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/src.hpp>
#include <boost/process/v2/start_dir.hpp>
#include <boost/process/v2/stdio.hpp>
#include <cstdlib>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

namespace process = boost::process::v2;
using ros::Error;
using ros::Fd;

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Pipe {
  Fd read_side;
  Fd write_side;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw Error::from_errno("pipe");
    read_side = Fd{ends[0]};
    write_side = Fd{ends[1]};
  }
};

// The child leads its own process group, so that a signal meant for it reaches
// its helpers too.
struct OwnGroup {
  bool wanted = true;
  template <class Launcher>
  boost::system::error_code on_exec_setup(Launcher&, const boost::filesystem::path&,
                                          const char* const*) {
    if (wanted) ::setpgid(0, 0);
    ::signal(SIGPIPE, SIG_DFL);
    // The threads of a build block what its main thread waits for.
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    return {};
  }
};

struct Result {
  int status = 0;
  int signal = 0;  // that ended it
  std::string out;
  std::string err;  // equals interleaved output when merged
  bool stopped = false;
};

std::unordered_map<process::environment::key, process::environment::value> environment_of(
    const Command& command) {
  std::map<std::string, std::string> env{{"PATH", kPath}, {"LC_ALL", "C.UTF-8"}, {"TZ", "UTC"}};
  if (const char* home = std::getenv("HOME")) env["HOME"] = home;
  for (const auto& [name, value] : command.env) env[name] = value;
  std::unordered_map<process::environment::key, process::environment::value> result;
  for (const auto& [name, value] : env) result.emplace(name, value);
  return result;
}

// Sends standard input from its own thread, so that a child that writes before
// it has read everything cannot dead-lock with us.
class Feeder {
 public:
  Feeder(Fd pipe, const Command& command) {
    thread_ = std::thread([this, pipe = std::move(pipe), &command]() mutable {
      try {
        if (command.feed)
          command.feed(pipe.get());
        else
          ros::write_all(pipe.get(), command.input);
      } catch (...) {
        failure_ = std::current_exception();
      }
      pipe.reset();
    });
  }
  ~Feeder() {
    if (thread_.joinable()) thread_.join();
  }
  std::exception_ptr wait() {
    thread_.join();
    return failure_;
  }

 private:
  std::thread thread_;
  std::exception_ptr failure_;
};

// Ends the child (kill(2)'s pid, of a group negative): TERM at once, KILL after five seconds.
class Stopper {
 public:
  Stopper(std::stop_token stop, pid_t child)
      : callback_(std::move(stop), [this, child] {
          stopped_ = true;
          ::kill(child, SIGTERM);
          killer_ = std::jthread([this, child](std::stop_token done) {
            for (int tenth = 0; tenth < 50; ++tenth) {
              if (done.stop_requested()) return;
              ::poll(nullptr, 0, 100);
            }
            ::kill(child, SIGKILL);
          });
        }) {}
  bool stopped() const { return stopped_; }

 private:
  std::atomic<bool> stopped_ = false;
  std::jthread killer_;
  std::stop_callback<std::function<void()>> callback_;
};

void read_both(Fd& out, Fd& err, Result& result) {
  pollfd polled[2] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}};
  std::string* sinks[2] = {&result.out, &result.err};
  char buffer[65536];
  while (polled[0].fd >= 0 || polled[1].fd >= 0) {
    if (::poll(polled, 2, -1) < 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      const ssize_t count = ::read(polled[i].fd, buffer, sizeof buffer);
      if (count > 0)
        sinks[i]->append(buffer, static_cast<std::size_t>(count));
      else if (count == 0 || errno != EINTR)
        polled[i].fd = -1;
    }
  }
}

fs::path resolve_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  if (auto found = find_program(name)) return *found;
  throw Error{fmt::format("program not found: {}", name), Error::Kind::tool}.hint(
      "install the Debian package that provides it");
}

Result launch(const Command& command, bool merge, std::stop_token stop) {
  if (stop.stop_requested()) throw Cancelled{};
  const fs::path program = resolve_program(command.argv.at(0));
  const bool fed = command.feed || !command.input.empty();
  Pipe out;
  Pipe err;
  Pipe in;
  if (!fed) in.read_side = ros::open_file("/dev/null", O_RDONLY);

  boost::asio::io_context context;
  process::process_stdio stdio{in.read_side.get(), out.write_side.get(),
                               merge ? out.write_side.get() : err.write_side.get()};
  const std::vector<std::string> arguments(command.argv.begin() + 1, command.argv.end());
  boost::system::error_code failed;
  const auto start = [&] {
    if (command.cwd.empty())
      return process::default_process_launcher()(
          context, failed, program, arguments, stdio,
          process::process_environment(environment_of(command)), OwnGroup{!command.asks});
    return process::default_process_launcher()(
        context, failed, program, arguments, stdio,
        process::process_environment(environment_of(command)),
        process::process_start_dir(command.cwd), OwnGroup{!command.asks});
  };
  process::process child = start();
  if (failed)
    throw Error{fmt::format("cannot start {}: {}", program.string(), failed.message()),
                Error::Kind::tool};
  const pid_t pid = static_cast<pid_t>(child.id());
  in.read_side.reset();
  out.write_side.reset();
  err.write_side.reset();

  Result result;
  std::exception_ptr feed_failure;
  {
    Stopper stopper{stop, command.asks ? pid : -pid};
    std::optional<Feeder> feeder;
    if (fed) feeder.emplace(std::move(in.write_side), command);
    read_both(out.read_side, err.read_side, result);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    child.detach();
    result.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (feeder) feed_failure = feeder->wait();
    result.stopped = stopper.stopped();
  }
  if (result.stopped) throw Cancelled{};
  // A child that failed explains a broken pipe better than the pipe does.
  if (feed_failure && result.status == 0) std::rethrow_exception(feed_failure);
  return result;
}

std::string last_lines(const std::string& text, std::size_t count) {
  auto lines = ros::split(ros::trim(text), '\n');
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<long>(count));
  return "  | " + ros::join(lines, "\n  | ");
}

[[noreturn]] void fail(const Command& command, const Result& result, const std::string& output) {
  const std::string how = result.signal != 0
                              ? fmt::format("was ended by signal {}", result.signal)
                              : fmt::format("failed with exit status {}", result.status);
  throw Error{fmt::format("{} {}\n  command: {}\n{}", fs::path(command.argv[0]).filename().string(),
                          how, ros::quote(command.argv), last_lines(output, 20)),
              Error::Kind::tool};
}

// A feeding thread may write to a child that has already gone; that must be an
// error of write(2), not the end of the builder.
const bool kSigpipeIgnored = [] {
  ::signal(SIGPIPE, SIG_IGN);
  return true;
}();

}  // namespace

void run(const Command& command, std::stop_token stop) {
  const Result result = launch(command, true, std::move(stop));
  if (result.status != 0) fail(command, result, result.out);
}

std::string capture(const Command& command, std::stop_token stop) {
  Result result = launch(command, false, std::move(stop));
  if (result.status != 0) fail(command, result, result.err + result.out);
  return std::move(result.out);
}

Exit try_run(const Command& command, std::stop_token stop) {
  Result result = launch(command, true, std::move(stop));
  return {result.status, std::move(result.out)};
}

std::optional<fs::path> find_program(const std::string& name) {
  for (const auto& folder : ros::split(kPath, ':')) {
    const fs::path candidate = fs::path(folder) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

}  // namespace rosbuild
