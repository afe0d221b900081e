#include "runtime/init/grow.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/unit/init/tools.h"

using namespace ros;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// 8 MiB with three partitions; the last in the table is not the last on the disk.
class Disk {
 public:
  explicit Disk(const std::string& label = "gpt",
                const std::string& partitions =
                    "start=2048, size=4096\nstart=12288\nstart=8192, size=4096\n") {
    make_zeros(path, 8 * kMiB);
    made_ = divide(path, "label: " + label + "\n" + partitions);
  }
  explicit operator bool() const { return made_; }
  void enlarge(std::uint64_t size) const { fs::resize_file(path, size); }
  std::string bytes() const { return read_file(path); }
  void flip(std::size_t at) const {
    std::string all = bytes();
    all[at] ^= 1;
    write_file(path, all);
  }
  nlohmann::json table() const {
    const std::string text = output_of({"sfdisk", "-J", path.string()}).text;
    return nlohmann::json::parse(text.substr(text.find('{')))["partitiontable"];  // after warnings
  }
  // False, and not a byte is other.
  bool left_alone(unsigned number) const {
    const std::string before = bytes();
    Grown grown;
    return !grow_partition(path, number, grown) && grown.size == 0 && bytes() == before;
  }

  TempDir folder;
  const fs::path path = folder.path() / "disk";

 private:
  bool made_ = false;
};

}  // namespace

TEST_CASE("grow: the last partition takes the new space", "[init]") {
  const Disk disk;
  if (!disk) return;
  const auto before = disk.table();
  // Whole MiB, a sector more, not even whole sectors, and more than an MBR can tell.
  const std::uint64_t size = GENERATE(20 * kMiB, 20 * kMiB + 512, 20 * kMiB + 777, 3 * kMiB * kMiB);
  disk.enlarge(size);
  Grown grown;
  REQUIRE(grow_partition(disk.path, 2, grown));
  CHECK(grown.offset == 6 * kMiB);
  CHECK(grown.offset + grown.size > size - 3 * kMiB);
  CHECK(grown.offset + grown.size <= size);
  CHECK((grown.offset + grown.size) % kMiB == 0);

  const auto verified = output_of({"sfdisk", "--verify", disk.path.string()});
  CHECK(verified.status == 0);
  CHECK_THAT(verified.text, Catch::Contains("No errors detected") && !Catch::Contains("backup") &&
                                !Catch::Contains("mismatch"));
  auto after = disk.table();
  CHECK(after["partitions"][1]["start"] == 12288);
  CHECK(after["partitions"][1]["size"] == grown.size / 512);
  CHECK(after["lastlba"] == size / 512 - 34);
  after["partitions"][1]["size"] = before["partitions"][1]["size"];
  after["lastlba"] = before["lastlba"];
  CHECK(after == before);  // names, types and UUIDs are kept
  CHECK_FALSE(grow_partition(disk.path, 2, grown));
}

TEST_CASE("grow: the backup table is as good as the first", "[init]") {
  const Disk disk;
  if (!disk) return;
  disk.enlarge(20 * kMiB);
  Grown grown;
  REQUIRE(grow_partition(disk.path, 2, grown));
  const auto table = disk.table();
  disk.flip(512);        // sfdisk now takes the backup,
  disk.flip(1024 + 40);  // and not the first entries
  CHECK(disk.table()["partitions"] == table["partitions"]);
}

TEST_CASE("grow: a disk that is full is left alone", "[init]") {
  const Disk disk;
  if (!disk) return;
  CHECK(disk.left_alone(2));
  disk.enlarge(8 * kMiB + 512);  // not enough for a whole MiB, which every end is aligned to
  CHECK(disk.left_alone(2));
}

TEST_CASE("grow: only the last partition grows", "[init]") {
  const Disk disk;
  if (!disk) return;
  disk.enlarge(20 * kMiB);
  for (const unsigned number : {0U, 1U, 3U, 4U, 128U, 129U}) {
    CAPTURE(number);
    CHECK(disk.left_alone(number));
  }
  const Disk empty{"gpt", ""};
  CHECK(empty.left_alone(1));
}

TEST_CASE("grow: a table that is damaged is left alone", "[init]") {
  const Disk disk;
  if (!disk) return;
  disk.enlarge(20 * kMiB);
  // The signature, the header's CRC, a field, the entries' CRC, an entry.
  const std::size_t at = GENERATE(512, 512 + 16, 512 + 48, 512 + 88, 1024 + 40);
  disk.flip(at);
  CHECK(disk.left_alone(2));
}

TEST_CASE("grow: a disk that shrank is left alone", "[init]") {
  const Disk disk;
  if (!disk) return;
  disk.enlarge(4 * kMiB);
  CHECK(disk.left_alone(2));
}

TEST_CASE("grow: the last partition of an MBR takes the new space", "[init]") {
  const Disk disk{"dos"};
  if (!disk) return;
  CHECK(disk.left_alone(2));
  const auto before = disk.table();
  disk.enlarge(20 * kMiB + 777);
  for (const unsigned number : {0U, 1U, 3U, 4U, 5U}) CHECK(disk.left_alone(number));
  Grown grown;
  REQUIRE(grow_partition(disk.path, 2, grown));
  CHECK(grown.offset == 6 * kMiB);
  CHECK(grown.size == 14 * kMiB);
  auto after = disk.table();
  CHECK(after["partitions"][1]["size"] == grown.size / 512);
  after["partitions"][1]["size"] = before["partitions"][1]["size"];
  CHECK(after == before);
  CHECK(disk.left_alone(2));  // it is full again
  disk.enlarge(3 * kMiB * kMiB);
  REQUIRE(grow_partition(disk.path, 2, grown));
  CHECK(grown.size / 512 <= 0xffffffff);  // 2 TiB are all that an MBR can tell
  CHECK(grown.size / 512 > 0xffffffff - 4096);
}

TEST_CASE("grow: without a table nothing is done", "[init]") {
  TempDir folder;
  Grown grown;
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{512}, 8 * kMiB}) {
    make_zeros(folder.path() / "disk", size);
    CHECK_FALSE(grow_partition(folder.path() / "disk", 1, grown));
  }
}
