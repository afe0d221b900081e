// The autoformat ISO takes an empty disk, and nothing else.
#include <catch2/catch.hpp>

#include "runtime/base/digest.h"
#include "tests/boot/scenario.h"

using namespace proof;

namespace {

Machine autoformat_machine(std::string name, const fs::path& disk) {
  return {
      .name = std::move(name),
      .disks = {
          {.path = artifact("vmware", "rancheros-autoformat.iso"), .bus = Bus::cdrom, .boot = true},
          {.path = disk, .bus = Bus::virtio}}};
}

}  // namespace

TEST_CASE("autoformat: an empty disk becomes the state", "[boot][matrix]") {
  ros::TempDir dir;
  const fs::path disk = empty_disk(dir.path(), 4ULL << 30);
  Guest guest{autoformat_machine("autoformat-empty", disk)};
  exercise(guest);
  CHECK_THAT(guest.run("findmnt -n -o SOURCE /state"), Catch::StartsWith("/dev/vda"));
}

TEST_CASE("autoformat: a disk that holds something is left alone, and the box says why", "[boot]") {
  ros::TempDir dir;
  const fs::path disk = empty_disk(dir.path(), 256ULL << 20);
  std::string expected = "vda.*(holds|contains|not empty)";
  SECTION("a file system") {
    check_output({"mke2fs", "-q", "-t", "ext4", "-L", "precious", disk.string()});
    expected = "vda.*ext4";
  }
  SECTION("bytes that nobody knows") {
    check_output({"dd", "if=/dev/urandom", "of=" + disk.string(), "bs=4k", "seek=3", "count=1",
                  "conv=notrunc", "status=none"});
  }
  const std::string before = ros::sha256_file(disk);
  {
    Guest guest{autoformat_machine("autoformat-refused", disk)};
    guest.expect("rancheros: .*" + expected, seconds{420});
    guest.expect_ready();
    CHECK_THAT(guest.run("findmnt -n -o SOURCE /state"), !Catch::StartsWith("/dev/"));
    make_image(guest);
    check_whole(guest);  // from memory
  }
  CHECK(ros::sha256_file(disk) == before);
}
