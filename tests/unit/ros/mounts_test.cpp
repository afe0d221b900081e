#include "runtime/ros/mounts.h"

#include <linux/magic.h>
#include <sys/statfs.h>

#include <catch2/catch.hpp>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/ros/services.h"

using namespace ros;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

Config config_of(const std::string& text) {
  Config config;
  add_layer(config, text, "c.yml");
  return config;
}

std::vector<MountEntry> entries_of(const std::string& text) {
  const Config config = config_of(text);
  std::vector<std::string> problems = config.problems;
  auto entries = mounts_of(config, problems);
  for (const auto& problem : problems) FAIL_CHECK(problem);
  return entries;
}

}  // namespace

TEST_CASE("mounts: entries are read as fstab's, with what they leave out") {
  const auto entries = entries_of(
      "mounts:\n"
      "  - [LABEL=data, /data, ext4, \"noatime,nofail\", \"0\", 2]\n"
      "  - [vdb1, /mnt/b]\n"
      "  - [/dev/vdc, none, swap, sw, 0, 0]\n"
      "  - [/home/rancher/a, /mnt/a, '', bind]\n"
      "  - [server:/export, /srv, nfs]\n"
      "  - [ephemeral0]\n"
      "  - [ephemeral0, null]\n");
  REQUIRE(entries.size() == 5);
  CHECK(entries[0].device == "LABEL=data");
  CHECK(entries[0].folder == "/data");
  CHECK(entries[0].has("nofail"));
  CHECK_FALSE(entries[0].has("fail"));
  CHECK(entries[0].position == Position{"c.yml", 2, 5});
  CHECK(entries[1].device == "/dev/vdb1");
  CHECK(entries[1].type == "auto");
  CHECK(entries[1].options == "defaults");
  CHECK(entries[2].swap());
  CHECK(entries[3].type == "auto");
  CHECK_FALSE(entries[3].network());
  CHECK(entries[4].network());
}

TEST_CASE("mounts: mount_default_fields fill what entries leave out") {
  const auto entries = entries_of(
      "mount_default_fields: [null, null, xfs, \"defaults,nofail\", \"0\", \"2\"]\n"
      "mounts: [[/dev/vdb, /b], [/dev/vdc, /c, ext4, ro]]\n");
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].type == "xfs");
  CHECK(entries[0].has("nofail"));
  CHECK(entries[1].type == "ext4");
  CHECK(entries[1].options == "ro");
}

TEST_CASE("mounts: a bad entry is named with its place and costs no other") {
  const Config config = config_of(
      "mounts:\n"
      "  - /dev/vdb /b\n"
      "  - [/dev/vdc, relative]\n"
      "  - [/dev/vdd, none, ext4]\n"
      "  - [/dev/vde, /e, ext4, ro, 0, 0, 7]\n"
      "  - [/dev/vdf, [/f]]\n"
      "  - ['', /g]\n"
      "  - [/dev/vdg, /good]\n");
  std::vector<std::string> problems = config.problems;
  const auto entries = mounts_of(config, problems);
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].folder == "/good");
  REQUIRE(problems.size() == 6);
  CHECK(problems[0] == "c.yml:2:5: mounts[0] must be a list of texts");
  CHECK(problems[1] == "c.yml:6:5: mounts[4] must be a list of texts");
  CHECK(problems[2] == "c.yml:3:5: mounts: the folder relative must begin with /");
  CHECK_THAT(problems[3], Catch::StartsWith("c.yml:4:5: mounts: the folder is missing"));
  CHECK_THAT(problems[4], Catch::StartsWith("c.yml:5:5: mounts: more than the six fields"));
  CHECK_THAT(problems[5], Catch::StartsWith("c.yml:7:5: mounts: the device is missing"));
}

TEST_CASE("mounts: the console gets the folders that it would not see") {
  const Config config = config_of(
      "mounts: [[vdb, /data], [vdc, /mnt/c], [vdd, none, swap], [vde, /mntx]]\n"
      "rancher: {services: {other: {labels: {io.rancher.os.scope: system}},\n"
      "  console: {labels: {io.rancher.os.scope: system}, volumes: ['/mnt:/mnt:rshared']}}}\n");
  std::vector<std::string> problems;
  const auto services = services_of(config, problems);
  REQUIRE(services.size() == 2);
  CHECK(services[0].spec.binds.empty());
  CHECK(services[1].spec.binds == std::vector<std::string>{"/mnt:/mnt:rshared",
                                                           "/data:/data:rshared",
                                                           "/mntx:/mntx:rshared"});
}

TEST_CASE("swap: a size is a number with a unit, or what there is memory") {
  const auto size = [](const std::string& text) {
    return swap_size(config_of("swap: " + text), 512 * kMiB, 8192 * kMiB) / kMiB;
  };
  CHECK(size("{size: 64M}") == 64);
  CHECK(size("{size: 2G}") == 2048);
  CHECK(size("{size: 1GiB}") == 1024);
  CHECK(size("{size: 10485760}") == 10);
  CHECK(size("{size: auto}") == 512);
  CHECK(size("{size: auto, maxsize: 100M}") == 100);
  CHECK(size("{size: 0}") == 0);
  CHECK(size("{filename: /x}") == 0);
  CHECK(swap_size(config_of("swap: {size: auto}"), 512 * kMiB, 100 * kMiB) == 25 * kMiB);
  CHECK_THROWS_WITH(size("{size: much}"), Catch::Contains("much is no size"));
  CHECK_THROWS_AS(size("{size: 3X}"), Error);
  CHECK_THROWS_AS(size("{size: -1}"), Error);
}

TEST_CASE("swap: none in memory") {
  struct statfs info = {};
  if (::statfs("/dev/shm", &info) != 0 || info.f_type != TMPFS_MAGIC) return;
  std::vector<std::string> problems;
  make_swap(config_of("swap: {size: 1M, filename: /dev/shm/rosbuild-swap}"), problems);
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0], Catch::StartsWith("c.yml:1:8: swap: /dev/shm is in memory"));
  CHECK_FALSE(fs::exists("/dev/shm/rosbuild-swap"));
}

TEST_CASE("services: names alone are filled from rancher.environment") {
  const Config config = config_of(
      "rancher:\n"
      "  environment: {A: one, B1: two, B2: three, C: four}\n"
      "  services:\n"
      "    listed: {environment: [A, 'B*', EMPTY=, 'D=${C}', UNSET]}\n"
      "    mapped: {environment: {A: null, X: '', UNSET: null}}\n");
  std::vector<std::string> problems;
  const auto services = services_of(config, problems);
  using Variables = std::vector<std::pair<std::string, std::string>>;
  CHECK(services[0].spec.environment ==
        Variables{{"A", "one"}, {"B1", "two"}, {"B2", "three"}, {"EMPTY", ""}, {"D", "four"}});
  CHECK(services[1].spec.environment == Variables{{"A", "one"}, {"X", ""}});
}
