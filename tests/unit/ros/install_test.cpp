// What can be judged without a disk: the table that sfdisk makes, and names.
#include "runtime/ros/install.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/disk_layout.h"
#include "runtime/base/error.h"
#include "runtime/ros/process.h"

using namespace ros;

namespace {

nlohmann::json table_of(DiskType type) {
  const TempDir dir;
  const fs::path disk = dir.path() / "disk";
  write_file(disk, "");
  fs::resize_file(disk, 2048 * kMebibyte);
  capture({"sfdisk", "--quiet", disk.string()}, partition_script(type, 300 * kMebibyte));
  return nlohmann::json::parse(capture({"sfdisk", "--json", disk.string()})).at("partitiontable");
}

}  // namespace

TEST_CASE("install: sfdisk makes the builder's GPT layout out of the script", "[ros]") {
  const auto table = table_of(DiskType::gpt);
  CHECK(table.at("label") == "gpt");
  const auto& parts = table.at("partitions");
  REQUIRE(parts.size() == 4);
  CHECK(parts[0].at("start") == 2048);
  CHECK(parts[0].at("type") == kBiosBootType);
  CHECK(parts[1].at("type") == kEspType);
  CHECK(parts[1].at("size") == 64 * 2048);
  CHECK(parts[2].at("name") == kBootLabel);
  CHECK(parts[2].at("size") == 300 * 2048);
  CHECK(parts[3].at("name") == kStateLabel);
  CHECK(parts[3].at("size") > 1600 * 2048);
}

TEST_CASE("install: an MBR disk has room for GRUB before its partitions", "[ros]") {
  const auto table = table_of(DiskType::mbr);
  CHECK(table.at("label") == "dos");
  const auto& parts = table.at("partitions");
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].at("start") == 2048);
  CHECK(parts[0].at("type") == "ef");
  CHECK(parts[1].at("bootable") == true);
  CHECK(parts[2].at("type") == "83");
}

TEST_CASE("install: types of old have a meaning or are refused", "[ros]") {
  CHECK(parse_disk_type("") == DiskType::gpt);
  CHECK(parse_disk_type("generic") == DiskType::gpt);
  CHECK(parse_disk_type("syslinux") == DiskType::mbr);
  CHECK(parse_disk_type("noformat") == DiskType::as_it_is);
  CHECK_THROWS_AS(parse_disk_type("raid"), Error);
  CHECK(partition_path("/dev/sda", 3) == "/dev/sda3");
  CHECK(partition_path("/dev/nvme0n1", 3) == "/dev/nvme0n1p3");
}

TEST_CASE("install: a file, a partition or nothing is no disk", "[ros]") {
  const TempDir dir;
  write_file(dir.path() / "file", "x");
  CHECK_THROWS_AS(check_disk({.disk = dir.path() / "file"}), Error);
  CHECK_THROWS_AS(check_disk({.disk = dir.path() / "absent"}), Error);
}
