#include "builder/pack/fat.h"

#include "builder/pack/stream.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "tests/unit/pack/read_back.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

FatSpec spec(std::uint64_t size) { return {.size = size, .label = "ESP", .serial = 0xcafe1234}; }

fs::path make_fat(const fs::path& folder, const Tree& tree, const FatSpec& fat,
                  std::uint64_t offset = 0) {
  const fs::path image = folder / "fat";
  const ros::Fd fd = create_sparse(image.string(), offset + fat.size);
  write_fat(tree, fd.get(), offset, fat);
  return image;
}

const std::string kLong = "kernel-arm64-0123456789abcdef.squashfs";

Tree sample() {
  Tree tree;
  tree.put_file("EFI/BOOT/BOOTX64.EFI", std::string(70'000, 'x'));  // many clusters
  tree.put_file("EFI/debian/grub.cfg", std::string("search\n"));
  tree.put_file("EFI/debian/empty", std::string());
  tree.put_file("EFI/debian/cluster.bin", std::string(512, 'c'));  // exactly one
  for (int i = 0; i < 40; ++i) tree.put_file("many/f" + std::to_string(i), std::to_string(i));
  tree.put_file("many/" + kLong, std::string("long"));
  tree.put_file("many/thirteenchars", std::string("13"));  // its last entry is full
  tree.put_file("Mixed.efi", std::string("mixed"));
  tree.put_file("two.dots.x", std::string());
  return tree;
}

void refused(const Tree& tree, const FatSpec& fat, const std::string& why) {
  const ros::TempDir folder;
  CHECK_THROWS_WITH(make_fat(folder.path(), tree, fat), Contains(why));
}

}  // namespace

TEST_CASE("fat: the boot sector says what it is", "[pack]") {
  const ros::TempDir folder;
  FatSpec small = spec(4 * kMiB);
  small.hidden = 4096;
  std::string bytes = ros::read_file(make_fat(folder.path(), sample(), small));
  CHECK(little_endian(bytes, 510, 2) == 0xaa55);
  CHECK(bytes.substr(54, 8) == "FAT16   ");
  CHECK(bytes.substr(43, 11) == "ESP        ");
  CHECK(little_endian(bytes, 39, 4) == 0xcafe1234);
  CHECK(little_endian(bytes, 28, 4) == 4096);
  CHECK(little_endian(bytes, 19, 2) == 4 * kMiB / 512);

  bytes = ros::read_file(make_fat(folder.path(), sample(), spec(64 * kMiB)));
  CHECK(bytes.substr(82, 8) == "FAT32   ");
  CHECK(little_endian(bytes, 32, 4) == 64 * kMiB / 512);
  CHECK(bytes.substr(0, 512) == bytes.substr(6 * 512, 512));
}

TEST_CASE("fat: fsck.vfat finds nothing wrong, mtools find the files", "[pack]") {
  const ros::TempDir folder;
  for (const std::uint64_t size : {3 * kMiB, 4 * kMiB, 31 * kMiB, 64 * kMiB, 300 * kMiB}) {
    INFO(size);
    const std::string image = make_fat(folder.path(), sample(), spec(size)).string();
    CHECK_THAT(ask({.argv = {"fsck.vfat", "-n", "-v", image}}),
               !Contains("Dirty bit") && !Contains("wrong") && Contains(" 53 files,"));
    CHECK_THAT(ask({.argv = {"mdir", "-b", "-/", "-i", image, "::/"}}),
               Contains("::/EFI/BOOT/BOOTX64.EFI\n") && Contains("::/EFI/debian/grub.cfg\n") &&
                   Contains("::/many/f39\n"));
    CHECK(ask({.argv = {"mtype", "-i", image, "::/EFI/BOOT/BOOTX64.EFI"}}) ==
          std::string(70'000, 'x'));
    CHECK(ask({.argv = {"mtype", "-i", image, "::/EFI/debian/empty"}}).empty());
    CHECK(ask({.argv = {"mtype", "-i", image, "::/many/f39"}}) == "39");
    CHECK(ask({.argv = {"mtype", "-i", image, "::/many/" + kLong}}) == "long");
    CHECK(ask({.argv = {"mtype", "-i", image, "::/many/thirteenchars"}}) == "13");
    CHECK(ask({.argv = {"mtype", "-i", image, "::/Mixed.efi"}}) == "mixed");
    CHECK_THAT(ask({.argv = {"mdir", "-b", "-/", "-i", image, "::/"}}),
               Contains("::/many/" + kLong + "\n") && Contains("::/two.dots.x\n"));
  }
}

TEST_CASE("fat: larger clusters", "[pack]") {
  const ros::TempDir folder;
  FatSpec large = spec(300 * kMiB);
  large.cluster = 4096;
  const std::string image = make_fat(folder.path(), sample(), large).string();
  CHECK_THAT(ask({.argv = {"fsck.vfat", "-n", "-v", image}}),
             Contains("4096 bytes per cluster") && Contains(" 53 files,"));
  CHECK(ask({.argv = {"mtype", "-i", image, "::/EFI/BOOT/BOOTX64.EFI"}}) ==
        std::string(70'000, 'x'));
  CHECK(ask({.argv = {"mtype", "-i", image, "::/many/" + kLong}}) == "long");
  large.size = 70 * kMiB;  // fewer clusters than FAT32 must have
  refused({}, large, "suit neither FAT16 nor FAT32");
}

TEST_CASE("fat: times are the tree's, in UTC", "[pack]") {
  const ros::TempDir folder;
  Tree tree;
  tree.put("file.txt", {.mtime = 1700000000, .content = std::string("x")});  // 2023-11-14 22:13:20
  tree.put("old.txt", {.mtime = 0, .content = std::string("x")});            // FAT begins in 1980
  const std::string image = make_fat(folder.path(), tree, spec(4 * kMiB)).string();
  const std::string listing = ask({.argv = {"mdir", "-i", image, "::/"}});
  CHECK_THAT(listing, Contains("2023-11-14  22:13") && Contains("1980-01-01"));
}

TEST_CASE("fat: lies at its offset, and nowhere else", "[pack]") {
  const ros::TempDir folder;
  const fs::path image = make_fat(folder.path(), sample(), spec(4 * kMiB), kMiB);
  const std::string bytes = ros::read_file(image);
  CHECK(bytes.substr(0, kMiB) == std::string(kMiB, '\0'));
  CHECK(bytes.substr(kMiB) == ros::read_file(make_fat(folder.path(), sample(), spec(4 * kMiB))));
}

TEST_CASE("fat: what it cannot hold is refused", "[pack]") {
  for (const std::string& name :
       {std::string("a:b"), std::string("what?"), std::string("end."), std::string("end "),
        std::string("b\xc3\xbc"), std::string(256, 'x')}) {
    Tree tree;
    tree.put_file(name, std::string("x"));
    refused(tree, spec(4 * kMiB), "not a name for a FAT file system");
  }
  Tree link;
  link.put_link("a", "b");
  refused(link, spec(4 * kMiB), "a: FAT holds files and folders only");

  Tree big;
  big.put_file("big", std::string(4 * kMiB, 'x'));
  refused(big, spec(4 * kMiB), "do not fit");
  Tree root;
  for (int i = 0; i < 512; ++i) root.put_file("f" + std::to_string(i), std::string());
  refused(root, spec(4 * kMiB), "too many files in the root");

  FatSpec label = spec(4 * kMiB);
  label.label = "TWELVE CHARS";
  refused({}, label, "at most 11");
  for (const std::uint64_t size : {std::uint64_t{0}, kMiB, 40 * kMiB})
    refused({}, spec(size), "suit neither FAT16 nor FAT32");
}
