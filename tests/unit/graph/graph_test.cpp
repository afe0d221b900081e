#include "builder/graph/graph.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <latch>
#include <mutex>
#include <thread>

#include "builder/graph/cache.h"
#include "builder/os/process.h"
#include "runtime/base/error.h"

using namespace rosbuild;

namespace {
struct Silent : Reporter {
  void plan(std::size_t) override {}
  void started(std::string_view) override {}
  void finished(std::string_view, double, bool) override {}
  void failed(std::string_view) override {}
  void note(std::string_view) override {}
};
}  // namespace

TEST_CASE("graph: every step runs once, after what it needs", "[graph]") {
  Graph graph;
  std::mutex mutex;
  std::vector<int> order;
  const auto step = [&](int id, std::vector<std::size_t> needs) {
    return graph.add({std::to_string(id), std::move(needs), 1, [&, id](std::stop_token) {
                        const std::lock_guard lock{mutex};
                        order.push_back(id);
                        return Outcome::built;
                      }});
  };
  const auto a = step(0, {});
  const auto b = step(1, {a});
  const auto c = step(2, {a});
  step(3, {b, c});
  Silent silent;
  run_graph(graph, 4, silent, {});
  REQUIRE(order.size() == 4);
  CHECK(order.front() == 0);
  CHECK(order.back() == 3);
}

TEST_CASE("graph: the critical path goes first", "[graph]") {
  Graph graph;
  std::vector<std::string> order;
  const auto note = [&](std::string name) {
    return [&order, name](std::stop_token) {
      order.push_back(name);
      return Outcome::built;
    };
  };
  graph.add({"light", {}, 1, note("light")});
  const auto heavy = graph.add({"start of heavy chain", {}, 1, note("start of heavy chain")});
  graph.add({"heavy", {heavy}, 10, note("heavy")});
  Silent silent;
  run_graph(graph, 1, silent, {});
  CHECK(order == std::vector<std::string>{"start of heavy chain", "heavy", "light"});
}

TEST_CASE("graph: the first failure stops new work and names the step", "[graph]") {
  Graph graph;
  bool ran = false;
  const auto bad = graph.add({"layer base", {}, 1, [](std::stop_token) -> Outcome {
                                throw ros::Error{"no room", ros::Error::Kind::input};
                              }});
  graph.add({"after", {bad}, 1, [&](std::stop_token) {
               ran = true;
               return Outcome::built;
             }});
  Silent silent;
  try {
    run_graph(graph, 2, silent, {});
    FAIL("must throw");
  } catch (const ros::Error& error) {
    CHECK(std::string(error.what()) == "while working on layer base:\n  no room");
    CHECK(error.kind() == ros::Error::Kind::input);
  }
  CHECK_FALSE(ran);
}

TEST_CASE("graph: a failure cancels running steps", "[graph]") {
  Graph graph;
  std::latch running{1};
  graph.add({"long", {}, 1, [&](std::stop_token stop) {
               running.count_down();
               run({.argv = {"sleep", "1000"}}, stop);
               return Outcome::built;
             }});
  graph.add({"bad", {}, 1, [&](std::stop_token) -> Outcome {
               running.wait();
               throw ros::Error{"bad"};
             }});
  Silent silent;
  CHECK_THROWS_WITH(run_graph(graph, 2, silent, {}), Catch::Contains("bad"));
}

TEST_CASE("graph: a stop request from outside is Cancelled", "[graph]") {
  Graph graph;
  std::stop_source stop;
  graph.add({"waits", {}, 1, [&](std::stop_token token) {
               stop.request_stop();
               run({.argv = {"sleep", "1000"}}, token);
               return Outcome::built;
             }});
  Silent silent;
  CHECK_THROWS_AS(run_graph(graph, 1, silent, stop.get_token()), Cancelled);
}

TEST_CASE("cache: two makers of one key run once", "[graph]") {
  const ros::TempDir folder;
  Cache cache{folder.path()};
  std::atomic<int> made = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        const auto entry = cache.get_or_make("k", [&](const fs::path& out) {
          ++made;
          ros::write_file(out, "content");
        });
        if (ros::read_file(entry) != "content") made = 100;
      });
  }
  CHECK(made == 1);
}

TEST_CASE("cache: a maker that throws stores nothing, and the next may try", "[graph]") {
  const ros::TempDir folder;
  Cache cache{folder.path()};
  CHECK_THROWS_WITH(cache.get_or_make("k",
                                      [](const fs::path& out) {
                                        ros::write_file(out, "half");
                                        throw ros::Error{"no room"};
                                      }),
                    "no room");
  CHECK_FALSE(cache.find("k"));
  cache.get_or_make("k", [](const fs::path& out) { ros::write_file(out, "whole"); });
  CHECK(ros::read_file(*cache.find("k")) == "whole");
}

TEST_CASE("cache: a killed maker leaves nothing that the next start keeps", "[graph]") {
  const ros::TempDir folder;
  const pid_t child = fork();
  if (child == 0) {
    Cache cache{folder.path()};
    cache.get_or_make("k", [](const fs::path& out) {
      ros::write_file(out, "half");
      kill(getpid(), SIGKILL);
    });
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK_FALSE(fs::is_empty(folder.path() / "staging"));
  {
    Cache cache{folder.path()};
    CHECK_FALSE(cache.find("k"));
    CHECK(std::distance(fs::directory_iterator{folder.path() / "staging"}, {}) == 1);
    cache.get_or_make("k", [](const fs::path& out) { ros::write_file(out, "whole"); });
  }
  CHECK(fs::is_empty(folder.path() / "staging"));
}

namespace {

void make(Cache& cache, const std::string& key, std::size_t bytes) {
  cache.get_or_make(key, [&](const fs::path& out) {
    fs::create_directory(out);
    ros::write_file(out / "data", std::string(bytes, 'x'));
  });
}

void set_last_use(const fs::path& root, const std::string& key, std::time_t when) {
  fs::last_write_time(root / "entries" / key, when);
}

constexpr std::size_t kMiB = 1 << 20;

}  // namespace

TEST_CASE("cache: what was not used for longest goes, until the rest is small enough", "[graph]") {
  const ros::TempDir folder;
  {
    Cache cache{folder.path()};
    for (const char* key : {"a", "b", "c"}) make(cache, key, kMiB);
    for (const char* key : {"a", "b", "c"}) set_last_use(folder.path(), key, 1000 + key[0]);
    CHECK(cache.find("a"));  // which is a use
    CHECK(cache.collect(10 * kMiB) == 0);
    CHECK(cache.collect(2 * kMiB + kMiB / 2) >= kMiB);
    CHECK(cache.find("a"));
    CHECK_FALSE(cache.find("b"));
    CHECK(cache.find("c"));
    make(cache, "b", kMiB);  // may be made again
    CHECK(ros::read_file(*cache.find("b") / "data").size() == kMiB);
    CHECK(cache.collect(0) >= 3 * kMiB);
  }
  CHECK(fs::is_empty(folder.path() / "entries"));
  CHECK(fs::is_empty(folder.path() / "staging"));
}

TEST_CASE("cache: a hole takes no room", "[graph]") {
  const ros::TempDir folder;
  Cache cache{folder.path()};
  cache.get_or_make("k", [](const fs::path& out) {
    ros::write_file(out, "x");
    fs::resize_file(out, 1ULL << 30);
  });
  CHECK(cache.collect(kMiB) == 0);
  CHECK(cache.find("k"));
}

TEST_CASE("cache: what may not have reached the disk when the host went down is gone", "[graph]") {
  const ros::TempDir folder;
  const fs::path mark = folder.path() / "unsynced";
  {
    Cache cache{folder.path()};
    make(cache, "old", 1);
    CHECK(fs::exists(mark));
  }
  CHECK_FALSE(fs::exists(mark));  // synchronized in the end
  set_last_use(folder.path(), "old", 1000);
  {
    Cache cache{folder.path()};
    make(cache, "new", 1);
    Cache same{folder.path()};  // of the same boot: nothing is lost
    CHECK(same.find("new"));
  }
  ros::write_file(mark, "another boot\n");
  const timespec times[2] = {{2000, 0}, {2000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, mark.c_str(), times, 0) == 0);
  Cache cache{folder.path()};
  CHECK(cache.find("old"));
  CHECK_FALSE(cache.find("new"));
  CHECK_FALSE(fs::exists(mark));
}

TEST_CASE("cache: the last user synchronizes, whoever made something", "[graph]") {
  const ros::TempDir folder;
  const fs::path mark = folder.path() / "unsynced";
  {
    const Cache idle{folder.path()};
    {
      Cache maker{folder.path()};
      make(maker, "k", 1);
    }
    CHECK(fs::exists(mark));  // not while somebody else is there
  }
  CHECK_FALSE(fs::exists(mark));
}

TEST_CASE("cache: what is being made when the host goes down is marked", "[graph]") {
  const ros::TempDir folder;
  Cache cache{folder.path()};
  cache.get_or_make("k", [&](const fs::path& out) {
    CHECK(fs::exists(folder.path() / "unsynced"));
    ros::write_file(out, "content");
  });
}

TEST_CASE("cache: a smaller limit counts although nothing was made", "[graph]") {
  const ros::TempDir folder;
  {
    Cache cache{folder.path()};
    make(cache, "k", kMiB);
    CHECK(cache.collect(2 * kMiB) == 0);
  }
  Cache cache{folder.path()};
  CHECK(cache.collect(2 * kMiB) == 0);
  CHECK(cache.collect(kMiB / 2) >= kMiB);
}

TEST_CASE("cache: who waits for another can be stopped", "[graph]") {
  const ros::TempDir folder;
  Cache cache{folder.path()};
  std::stop_source stop;
  const ros::Fd held = cache.lock("k", stop.get_token());
  std::jthread stopper{[&] { stop.request_stop(); }};
  const auto never = [](const fs::path&) { FAIL("it is somebody else's to make"); };
  CHECK_THROWS_AS(cache.get_or_make("k", never, stop.get_token()), Cancelled);
}

TEST_CASE("cache: nothing goes while somebody else uses it", "[graph]") {
  const ros::TempDir folder;
  Cache cache{folder.path()};
  {
    Cache other{folder.path()};
    make(cache, "k", kMiB);
    CHECK(cache.collect(0) == 0);
    CHECK(other.find("k"));
    CHECK(other.collect(0) == 0);
  }
  {
    Cache late{folder.path()};
    CHECK(cache.collect(0) == 0);
  }
  CHECK(cache.find("k"));
  CHECK(cache.collect(0) >= kMiB);
  CHECK_FALSE(cache.find("k"));
}

TEST_CASE("cache: a key depends on every part, and on where one ends", "[graph]") {
  const auto key = [](std::string_view a, std::string_view b) {
    return Key{"test 1"}.add("a", a).add("b", b).digest();
  };
  CHECK(key("x", "y") == key("x", "y"));
  CHECK(key("x", "y") != key("x", "z"));
  CHECK(Key{"t"}.add("a", "1\nb 1 2").digest() != Key{"t"}.add("a", "1").add("b", "2").digest());
}
