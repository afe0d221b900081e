#include "builder/pack/stream.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <thread>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "tests/unit/pack/read_back.h"

using namespace rosbuild;

TEST_CASE("in_order: results come in the order of their inputs", "[pack]") {
  for (const unsigned threads : {0U, 1U, 4U}) {
    int made = 0;
    std::vector<int> results;
    in_order(
        threads, [&] { return made < 50 ? std::optional<int>{made++} : std::nullopt; },
        [](int value) {
          if (value % 7 == 0) std::this_thread::yield();
          return value * 2;
        },
        [&](int value) { results.push_back(value); });
    REQUIRE(results.size() == 50);
    for (int i = 0; i < 50; ++i) CHECK(results[static_cast<std::size_t>(i)] == 2 * i);
  }
}

TEST_CASE("in_order: what a thread throws travels on", "[pack]") {
  int made = 0;
  CHECK_THROWS_WITH(in_order(
                        2, [&] { return made < 9 ? std::optional<int>{made++} : std::nullopt; },
                        [](int value) {
                          if (value == 4) throw ros::Error{"four"};
                          return value;
                        },
                        [](int) {}),
                    "four");
}

TEST_CASE("copy_sparse: data arrives at its offset, holes stay holes", "[pack]") {
  const ros::TempDir folder;
  const fs::path from = folder.path() / "from", to = folder.path() / "to";
  {
    const ros::Fd fd = create_sparse(from.string(), 64 << 20);
    write_at(fd.get(), 0, "start");
    write_at(fd.get(), 40 << 20, "middle");
  }
  const ros::Fd fd = create_sparse(to.string(), 65 << 20);
  copy_sparse(from.string(), fd.get(), 1 << 20, {});
  CHECK(ros::read_at(fd.get(), 1 << 20, 5) == "start");
  CHECK(ros::read_at(fd.get(), 41 << 20, 6) == "middle");
  struct stat status = {};
  REQUIRE(fstat(fd.get(), &status) == 0);
  CHECK(status.st_blocks * 512 < 1 << 20);
  CHECK_THROWS_AS(copy_sparse((folder.path() / "absent").string(), fd.get(), 0, {}), ros::Error);
}

TEST_CASE("sha256_sparse: the digest of every byte, wherever the holes are", "[pack]") {
  const ros::TempDir folder;
  const std::string file = (folder.path() / "file").string();
  struct Data {
    std::uint64_t at;
    std::size_t length;
  };
  const std::vector<std::pair<std::uint64_t, std::vector<Data>>> files{
      {0, {}},
      {5, {{0, 5}}},
      {(3 << 20) + 7, {}},                               // a hole alone
      {8 << 20, {{0, 1}, {5 << 20, 3 << 20}}},           // one in the middle
      {(8 << 20) + 1, {{4096, 4096}, {7 << 20, 5000}}},  // at both ends
  };
  for (const auto& [size, data] : files) {
    const ros::Fd fd = create_sparse(file, size);
    for (const auto& [at, length] : data) write_at(fd.get(), at, std::string(length, 'x'));
    CHECK(sha256_sparse(file) == ros::sha256_file(file));
  }
  CHECK_THROWS_AS(sha256_sparse((folder.path() / "absent").string()), ros::Error);
}

TEST_CASE("write_at: a descriptor for reading is an error", "[pack]") {
  CHECK_THROWS_AS(write_at(ros::open_file("/dev/null", O_RDONLY).get(), 0, "x"), ros::Error);
}
