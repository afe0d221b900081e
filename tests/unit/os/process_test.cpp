#include "builder/os/process.h"

#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

using namespace rosbuild;

TEST_CASE("process: captures standard output alone", "[os]") {
  CHECK(capture({.argv = {"sh", "-c", "echo out; echo err >&2"}}) == "out\n");
}

TEST_CASE("process: a failure shows status, command and output", "[os]") {
  try {
    run({.argv = {"sh", "-c", "echo 'no room'; exit 3"}});
    FAIL("must throw");
  } catch (const ros::Error& error) {
    const std::string text = error.what();
    CHECK_THAT(text, Catch::Contains("sh failed with exit status 3"));
    CHECK_THAT(text, Catch::Contains("command: sh -c 'echo '\\''no room'\\''; exit 3'"));
    CHECK_THAT(text, Catch::Contains("| no room"));
    CHECK(error.kind() == ros::Error::Kind::tool);
  }
}

TEST_CASE("process: a missing program is named", "[os]") {
  CHECK_THROWS_WITH(run({.argv = {"no-such-program-here"}}),
                    Catch::Contains("program not found: no-such-program-here"));
}

TEST_CASE("process: a signal is told apart from a status", "[os]") {
  CHECK(try_run({.argv = {"sh", "-c", "kill -9 $$"}}).status == 128 + 9);
  CHECK(try_run({.argv = {"sh", "-c", "exit 9"}}).status == 9);
  CHECK_THROWS_WITH(run({.argv = {"sh", "-c", "exit 255"}}),
                    Catch::Contains("failed with exit status 255"));
  CHECK_THROWS_WITH(run({.argv = {"sh", "-c", "kill -9 $$"}}),
                    Catch::Contains("was ended by signal 9"));
}

TEST_CASE("process: one that asks stays in the group of the terminal's foreground", "[os]") {
  const std::vector<std::string> group{"sh", "-c", "ps -o pgid= -p $$"};
  CHECK(ros::trim(capture({.argv = group, .asks = true})) == std::to_string(::getpgrp()));
  CHECK(ros::trim(capture({.argv = group})) != std::to_string(::getpgrp()));
}

TEST_CASE("process: the environment is rebuilt, and added to", "[os]") {
  setenv("LEAK", "yes", 1);
  const std::string env = capture({.argv = {"env"}, .env = {{"SOURCE_DATE_EPOCH", "1"}}});
  CHECK_THAT(env, Catch::Contains("LC_ALL=C.UTF-8\n"));
  CHECK_THAT(env, Catch::Contains("TZ=UTC\n"));
  CHECK_THAT(env, Catch::Contains("SOURCE_DATE_EPOCH=1\n"));
  CHECK_THAT(env, !Catch::Contains("LEAK"));
}

TEST_CASE("process: nothing but 0, 1 and 2 is inherited", "[os]") {
  REQUIRE(dup2(STDERR_FILENO, 99) == 99);  // without close-on-exec, on purpose
  CHECK(try_run({.argv = {"sh", "-c", "test -e /proc/$$/fd/99"}}).status == 1);
  CHECK(try_run({.argv = {"sh", "-c", "test -e /proc/$$/fd/2"}}).status == 0);
  close(99);
}

TEST_CASE("process: input and feed reach the child, larger than any pipe", "[os]") {
  const std::string big(3'000'000, 'x');
  CHECK(capture({.argv = {"wc", "-c"}, .input = big}) == "3000000\n");
  Command fed{.argv = {"cat"}};
  fed.feed = [&](int fd) { ros::write_all(fd, big); };
  CHECK(capture(fed) == big);
}

TEST_CASE("process: a child that does not read explains itself, not the pipe", "[os]") {
  Command fed{.argv = {"sh", "-c", "echo full >&2; exit 4"}};
  fed.feed = [](int fd) { ros::write_all(fd, std::string(3'000'000, 'x')); };
  CHECK_THROWS_WITH(run(fed), Catch::Contains("exit status 4"));
}

TEST_CASE("process: what feed throws travels on", "[os]") {
  Command fed{.argv = {"cat"}};
  fed.feed = [](int) { throw ros::Error{"no source"}; };
  CHECK_THROWS_WITH(run(fed), "no source");
}

TEST_CASE("process: a stop request ends the whole group", "[os]") {
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  CHECK_THROWS_AS(run({.argv = {"sh", "-c", "sleep 1000 & sleep 1000; wait"}}, stop.get_token()),
                  Cancelled);
}

TEST_CASE("process: sixteen threads capture large outputs at once", "[os]") {
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i)
      threads.emplace_back([&] {
        for (int n = 0; n < 5; ++n) {
          const Exit exit = try_run({.argv = {"sh", "-c", "head -c 100000 /dev/zero; exit 3"}});
          if (exit.status == 3 && exit.output.size() == 100000) ++right;
        }
      });
  }
  CHECK(right == 80);
}

TEST_CASE("a program can be ended by signals that this thread blocks") {
  sigset_t term, before;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &term, &before);
  const auto exit = try_run({.argv = {"sh", "-c", "kill -TERM $$; echo still here"}});
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(exit.status == 128 + SIGTERM);
  CHECK(exit.output.empty());
}
