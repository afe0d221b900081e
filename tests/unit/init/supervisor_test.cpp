// A supervisor takes the signals and children of its whole process, so each
// test gives it one of its own, and looks at what that process tells.
// Restarts announce themselves on the consoles: the boot tests see to them.
#include "runtime/init/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>

#include "runtime/base/timeline.h"

using namespace ros;

namespace {

constexpr double kLong = 300;  // seconds; a test that needs them has failed
constexpr unsigned kHangs = 120;

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) ::abort();
    reader = Fd{ends[0]};
    writer = Fd{ends[1]};
  }
  // Blocks until nobody holds the other end.
  std::string rest() {
    writer.reset();
    return read_to_end(reader.get());
  }
  Fd reader, writer;
};

std::string in_child(const std::function<std::string(Supervisor&)>& work) {
  set_path();
  Pipe told;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(kHangs);
    try {
      Supervisor supervisor;
      write_all(told.writer.get(), work(supervisor));
    } catch (const std::exception& error) {
      write_all(told.writer.get(), error.what());
    }
    ::_exit(0);
  }
  const std::string text = told.rest();
  CHECK(wait_for(pid) == 0);
  return text;
}

std::string name(Ending ending) {
  return ending == Ending::reboot ? "reboot" : ending == Ending::poweroff ? "poweroff" : "halt";
}

Command shell(const std::string& script, int output = -1) {
  return {.argv = {"sh", "-c", script}, .output = output};
}

}  // namespace

TEST_CASE("supervisor: signals ask for an end as busybox's init takes them", "[init]") {
  const auto [signal, ending] = GENERATE(table<int, std::string>(
      {{SIGTERM, "reboot"}, {SIGINT, "reboot"}, {SIGUSR2, "poweroff"}, {SIGUSR1, "halt"}}));
  CHECK(in_child([&, number = signal](Supervisor& supervisor) {
          ::kill(::getpid(), SIGHUP);  // asks for nothing
          ::kill(::getpid(), number);
          return name(supervisor.run());
        }) == ending);
}

TEST_CASE("supervisor: who started a program once learns its status", "[init]") {
  CHECK(in_child([](Supervisor& supervisor) {
          std::string statuses;
          const auto ended = [&](int status) {
            statuses += std::to_string(status) + " ";
            // The next may be started where another ended.
            supervisor.once(shell("kill -9 $$"), [&](int next) {
              statuses += std::to_string(next) + " ";
              ::kill(::getpid(), SIGUSR2);
            });
          };
          supervisor.once(shell("exit 3"), ended);
          return name(supervisor.run()) + " " + statuses;
        }) == "poweroff 3 137 ");
}

TEST_CASE("supervisor: orphans are reaped and of no interest", "[init]") {
  CHECK(in_child([](Supervisor& supervisor) {
          const pid_t stranger = spawn(shell("exit 1"));
          supervisor.once(shell("exit 0"), [&](int) { ::kill(::getpid(), SIGUSR1); });
          supervisor.run();
          // Reaped by run, or else by us: gone in any case.
          wait_for(stranger);
          return std::to_string(::kill(stranger, 0));
        }) == "-1");
}

TEST_CASE("supervisor: to finish is to end by oneself and well", "[init]") {
  CHECK(in_child([](Supervisor& supervisor) {
          std::string answers;
          for (const char* script : {"exit 0", "exit 3", "kill -9 $$", "exec /nowhere"})
            answers += supervisor.finish(shell(script), uptime() + kLong) ? "yes " : "no ";
          return answers;
        }) == "yes no no no ");
}

TEST_CASE("supervisor: what does not finish in time is killed", "[init]") {
  CHECK(in_child([](Supervisor& supervisor) {
          Pipe held, silent;
          Command command = shell("read x <&3", held.writer.get());  // nobody writes
          command.listen = silent.reader.get();
          const bool finished = supervisor.finish(std::move(command), uptime());
          held.rest();  // ends when it has ended
          const bool next = supervisor.finish(shell("exit 0"), uptime() + kLong);
          return std::string{finished ? "finished" : "killed"} + (next ? ", next" : "");
        }) == "killed, next");
}

TEST_CASE("supervisor: a kept program runs until it is stopped", "[init]") {
  CHECK(in_child([](Supervisor& supervisor) {
          Pipe output, silent;
          Command command = shell("trap 'echo stopped; exit' USR1; echo started; read x <&3",
                                  output.writer.get());
          command.listen = silent.reader.get();
          supervisor.keep("program", std::move(command));
          std::string line(8, '\0');
          (void)!::read(output.reader.get(), line.data(), line.size());
          supervisor.stop("program", SIGUSR1, uptime() + kLong);
          return line + output.rest();
        }) == "started\nstopped\n");
}

TEST_CASE("supervisor: what is not kept needs no stop", "[init]") {
  CHECK(in_child([](Supervisor& supervisor) {
          supervisor.stop("nobody", SIGTERM, uptime() + kLong);
          return std::string{"back"};
        }) == "back");
}
