#include "runtime/init/engine_log.h"

#include <sys/inotify.h>

#include <catch2/catch.hpp>

using namespace ros;

namespace {

constexpr std::uintmax_t kLargest = 4 << 20;

// The log is written by a thread of its own; the kernel tells when it wrote.
class Folder {
 public:
  Folder() {
    REQUIRE(::inotify_add_watch(events_.get(), path().c_str(),
                                IN_CREATE | IN_MODIFY | IN_MOVED_TO) >= 0);
  }
  const fs::path& path() const { return folder_.path(); }
  std::string text(const std::string& name) const {
    return try_read_file(path() / name).value_or("");
  }
  std::uintmax_t size(const std::string& name) const {
    boost::system::error_code error;
    const auto size = fs::file_size(path() / name, error);
    return error ? 0 : size;
  }
  // Blocks until something is written, again and again, until it is `true`.
  template <typename Condition>
  void await(const Condition& condition) const {
    char buffer[4096];
    while (!condition()) REQUIRE(::read(events_.get(), buffer, sizeof buffer) > 0);
  }

 private:
  TempDir folder_;
  Fd events_{::inotify_init1(IN_CLOEXEC)};
};

}  // namespace

TEST_CASE("engine log: what came before the folder comes first", "[init]") {
  Folder folder;
  EngineLog log;
  const int docker = log.writer("docker");
  write_all(docker, "early\n");
  log.write_to(folder.path());
  write_all(docker, "late\n");
  folder.await([&] { return folder.text("docker.log") == "early\nlate\n"; });
}

TEST_CASE("engine log: each program has its file", "[init]") {
  Folder folder;
  EngineLog log;
  const int one = log.writer("one");
  log.write_to(folder.path());
  const int two = log.writer("two");  // after the fact
  write_all(two, "2");
  write_all(one, "1");
  folder.await([&] { return folder.text("one.log") == "1" && folder.text("two.log") == "2"; });
}

TEST_CASE("engine log: the next boot writes on", "[init]") {
  Folder folder;
  write_file(folder.path() / "docker.log", "last time\n");
  EngineLog log;
  log.write_to(folder.path());
  write_all(log.writer("docker"), "now\n");
  folder.await([&] { return folder.text("docker.log") == "last time\nnow\n"; });
}

TEST_CASE("engine log: a file that is large makes room for a new one", "[init]") {
  Folder folder;
  write_file(folder.path() / "docker.log.1", "the one before\n");
  write_file(folder.path() / "docker.log", "large");
  fs::resize_file(folder.path() / "docker.log", kLargest);
  EngineLog log;
  log.write_to(folder.path());
  write_all(log.writer("docker"), "fresh\n");
  folder.await([&] { return folder.text("docker.log") == "fresh\n"; });
  CHECK(folder.size("docker.log.1") == kLargest);
}

TEST_CASE("engine log: an engine that talks much is neither held up nor loses a line", "[init]") {
  Folder folder;
  EngineLog log;
  const int docker = log.writer("docker");
  log.write_to(folder.path());
  const std::string much(kLargest + 100'000, 'x');
  write_all(docker, much);
  folder.await(
      [&] { return folder.size("docker.log") + folder.size("docker.log.1") == much.size(); });
  CHECK(folder.size("docker.log.1") >= kLargest);
  CHECK(folder.size("docker.log.1") < kLargest + 65'536);
}

TEST_CASE("engine log: without a folder the pipes are emptied all the same", "[init]") {
  EngineLog log;
  write_all(log.writer("docker"), std::string(2 << 20, 'x'));  // more than a pipe or memory keeps
}
