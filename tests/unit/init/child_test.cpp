#include "runtime/init/child.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/unit/init/tools.h"

using namespace ros;

namespace {

int status_of(const std::string& script) { return run({"sh", "-c", script}); }

// What the command prints.
std::string text_of(Command command) {
  const Fd file{::memfd_create("output", MFD_CLOEXEC)};
  command.output = file.get();
  CHECK(wait_for(spawn(command)) == 0);
  ::lseek(file.get(), 0, SEEK_SET);
  return read_to_end(file.get());
}

}  // namespace

TEST_CASE("child: the exit status comes back", "[init]") {
  CHECK(status_of("exit 0") == 0);
  CHECK(status_of("exit 3") == 3);
  CHECK(status_of("exit 255") == 255);
}

TEST_CASE("child: the end by a signal is 128 and its number", "[init]") {
  CHECK(status_of("kill -KILL $$") == 128 + SIGKILL);
  CHECK(status_of("kill -TERM $$") == 128 + SIGTERM);
}

TEST_CASE("child: what cannot be executed ends with 127", "[init]") {
  TempDir folder;
  write_file(folder.path() / "text", "not a program");
  CHECK(run({"no-such-program-here"}) == 127);
  CHECK(run({(folder.path() / "absent").string()}) == 127);
  CHECK(run({(folder.path() / "text").string()}) == 127);
}

TEST_CASE("child: a stranger cannot be waited for", "[init]") {
  CHECK(wait_for(::getpid()) == 127);
}

TEST_CASE("child: output and errors go to the same place", "[init]") {
  CHECK(text_of({.argv = {"sh", "-c", "echo out; echo err >&2"}}) == "out\nerr\n");
}

TEST_CASE("child: without a place output goes nowhere, and input is empty", "[init]") {
  CHECK(status_of("for fd in 0 1 2; do [ \"$(readlink /proc/$$/fd/$fd)\" = /dev/null ] || exit 1; "
                  "done") == 0);
}

TEST_CASE("child: the environment is made anew", "[init]") {
  ::setenv("LEAK", "yes", 1);
  CHECK(text_of({.argv = {"env"}}) ==
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "HOME=/root\nTERM=linux\n");
  ::unsetenv("LEAK");
}

TEST_CASE("child: init looks where its children look", "[init]") {
  ::setenv("PATH", "/nowhere", 1);
  CHECK(run({"true"}) == 127);
  set_path();
  CHECK(run({"true"}) == 0);
}

TEST_CASE("child: a listening socket is handed over as systemd does it", "[init]") {
  const Fd file{::memfd_create("socket", MFD_CLOEXEC)};
  write_all(file.get(), "hello");
  const Fd given{::fcntl(file.get(), F_DUPFD_CLOEXEC, 10)};
  ::lseek(given.get(), 0, SEEK_SET);
  CHECK(text_of({.argv = {"sh", "-c", "echo $LISTEN_FDS; [ $LISTEN_PID = $$ ] && cat <&3"},
                 .listen = given.get()}) == "1\nhello");
}

TEST_CASE("child: signals are as a program expects them", "[init]") {
  sigset_t blocked, before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::sigaddset(&blocked, SIGCHLD);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto handler = ::signal(SIGPIPE, SIG_IGN);
  const auto text = text_of({.argv = {"grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"}});
  ::signal(SIGPIPE, handler);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK_THAT(text, Catch::Contains("SigBlk:\t0000000000000000\n"));
  // 32 and 33, which glibc keeps for itself and does not let us set, stay as they were.
  CHECK_THAT(text, Catch::Matches("(.|\n)*SigIgn:\t[0-9a-f]{8}[08]0000000\n"));
}

TEST_CASE("child: each leads a session of its own", "[init]") {
  CHECK(status_of("[ $(cut -d' ' -f6 /proc/$$/stat) = $$ ]") == 0);
}

TEST_CASE("child: the kernel's choice when memory ends can be swayed", "[init]") {
  CHECK(text_of({.argv = {"cat", "/proc/self/oom_score_adj"}, .oom_score = 1000}) == "1000\n");
}
