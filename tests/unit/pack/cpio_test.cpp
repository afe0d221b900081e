#include "builder/pack/cpio.h"

#include "runtime/base/error.h"
#include "tests/unit/pack/read_back.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

Tree sample() {
  Tree tree;
  tree.put_directory("dev", 0755);
  tree.put("dev/console", {.type = EntryType::char_device, .mode = 0600, .major = 5, .minor = 1});
  tree.put(
      "etc/shadow",
      {.mode = 0640, .uid = 7, .gid = 42, .mtime = 1700000000, .content = std::string("secret")});
  tree.put_link("lib", "usr/lib");
  tree.put_file("usr/bin/su", std::string(1001, 's'), 04755);
  return tree;
}

std::string cpio_of(const Tree& tree) {
  return written(tree, [](const Tree& from, const Sink& sink) { write_cpio(from, sink); });
}

// A field of the header at `entry`, by its number.
std::uint64_t field(const std::string& bytes, std::size_t entry, std::size_t number) {
  return std::stoull(bytes.substr(entry + 6 + 8 * number, 8), nullptr, 16);
}

}  // namespace

TEST_CASE("cpio: entries start at multiples of four and say all", "[pack]") {
  const std::string bytes = cpio_of(sample());
  CHECK(bytes.size() % 512 == 0);
  std::vector<std::string> names;
  for (std::size_t at = 0;;) {
    REQUIRE(bytes.substr(at, 6) == "070701");
    const std::size_t size = field(bytes, at, 6), name_size = field(bytes, at, 11);
    names.push_back(bytes.substr(at + 110, name_size - 1));
    const std::size_t content = (at + 110 + name_size + 3) / 4 * 4;
    if (names.back() == "dev/console") {
      CHECK(field(bytes, at, 1) == 020600);
      CHECK(field(bytes, at, 9) == 5);
      CHECK(field(bytes, at, 10) == 1);
    }
    if (names.back() == "etc/shadow") {
      CHECK(field(bytes, at, 1) == 0100640);
      CHECK(field(bytes, at, 2) == 7);
      CHECK(field(bytes, at, 3) == 42);
      CHECK(field(bytes, at, 5) == 1700000000);
      CHECK(bytes.substr(content, size) == "secret");
    }
    if (names.back() == "lib") CHECK(bytes.substr(content, size) == "usr/lib");
    if (names.back() == "TRAILER!!!") break;
    at = (content + size + 3) / 4 * 4;
  }
  CHECK(names == std::vector<std::string>{"dev", "dev/console", "etc", "etc/shadow", "lib", "usr",
                                          "usr/bin", "usr/bin/su", "TRAILER!!!"});
}

TEST_CASE("cpio: cpio lists it", "[pack]") {
  const std::string list = ask({.argv = {"cpio", "-itvn", "--quiet"}, .input = cpio_of(sample())});
  CHECK_THAT(list, Contains("crw-------   1 0        0          5,   1 "));
  CHECK_THAT(list, Contains("-rw-r-----   1 7        42              6 Nov 14  2023 etc/shadow"));
  CHECK_THAT(list, Contains("lib -> usr/lib"));
  CHECK_THAT(list, Contains("-rwsr-xr-x   1 0        0            1001 "));
}

TEST_CASE("initrd: zstd gives the same archive back", "[pack]") {
  const ros::TempDir folder;
  const std::string packed = (folder.path() / "packed").string();
  write_initrd(sample(), packed, 19);
  CHECK(little_endian(ros::read_file(packed), 0, 4) == 0xfd2fb528);
  CHECK(ask({.argv = {"zstd", "-dcq", packed}}) == cpio_of(sample()));
  write_initrd(sample(), folder.path() / "plain", 0);
  CHECK(ros::read_file(folder.path() / "plain") == cpio_of(sample()));
  CHECK_THROWS_AS(write_initrd(sample(), folder.path() / "no/folder", 3), ros::Error);
}

TEST_CASE("netboot initrd: the early one as it was, then the layers", "[pack]") {
  const ros::TempDir folder;
  ros::write_file(folder.path() / "early", std::string(1000, 'e'));
  ros::write_file(folder.path() / "layer", "squashed");
  write_netboot_initrd(folder.path() / "early", {{"base-1.squashfs", folder.path() / "layer"}},
                       folder.path() / "out");
  const std::string bytes = ros::read_file(folder.path() / "out");
  CHECK(bytes.substr(0, 1024) == std::string(1000, 'e') + std::string(24, '\0'));
  Tree layers;
  layers.put_file("layers/base-1.squashfs", std::string("squashed"));
  CHECK(bytes.substr(1024) == cpio_of(layers));
  CHECK_THROWS_AS(write_netboot_initrd(folder.path() / "early", {{"a", folder.path() / "absent"}},
                                       folder.path() / "out"),
                  ros::Error);
}
