#include "runtime/init/devices.h"

#include <catch2/catch.hpp>

#include "tests/unit/init/tools.h"

using namespace ros;
using Texts = std::vector<std::string>;

namespace {

constexpr const char* kUuid = "01234567-89ab-cdef-0123-456789abcdef";

}  // namespace

TEST_CASE("devices: those that may hold something, in order", "[init]") {
  TempDir folder;
  const Paths paths{.sys = folder.path()};
  const auto add = [&](const std::string& name, const std::string& size) {
    // sysfs shows links to the devices.
    const auto device = folder.path() / "devices" / name;
    write_file(device / "size", size);
    fs::create_directories(folder.path() / "class/block");
    fs::create_symlink(device, folder.path() / "class/block" / name);
  };
  for (const char* name : {"vda2", "vda", "vda1", "sr1", "nvme0n1p1", "mmcblk0", "dm-0", "md0"})
    add(name, "2048\n");
  for (const char* name : {"loop0", "ram0", "zram0", "fd0", "nbd0"}) add(name, "2048\n");
  add("sr0", "0\n");                                          // no medium
  fs::create_directories(folder.path() / "class/block/vdz");  // on its way out
  CHECK(block_devices(paths) ==
        Texts{"dm-0", "md0", "mmcblk0", "nvme0n1p1", "sr1", "vda", "vda1", "vda2"});
}

TEST_CASE("devices: a machine without disks", "[init]") {
  TempDir folder;
  CHECK(block_devices({.sys = folder.path()}).empty());
}

TEST_CASE("devices: ext4 is told by type, label and UUID", "[init]") {
  TempDir folder;
  const auto image = folder.path() / "disk";
  make_zeros(image, 8 << 20);
  if (!make(
          {"mke2fs", "-q", "-F", "-t", "ext4", "-L", "RANCHER_STATE", "-U", kUuid, image.string()}))
    return;
  const auto device = probe(image);
  REQUIRE(device);
  CHECK(device->path == image.string());
  CHECK(device->type == "ext4");
  CHECK(device->label == "RANCHER_STATE");
  CHECK(device->uuid == kUuid);
  CHECK(device->partition_table.empty());
  CHECK_FALSE(device->empty());
}

TEST_CASE("devices: a FAT file system is no partition table", "[init]") {
  TempDir folder;
  const auto image = folder.path() / "disk";
  make_zeros(image, 8 << 20);
  if (!make({"mkfs.vfat", "-n", "ESP", "-i", "1234abcd", image.string()})) return;
  const auto device = probe(image);
  REQUIRE(device);
  CHECK(device->type == "vfat");
  CHECK(device->label == "ESP");
  CHECK(device->uuid == "1234-ABCD");
  CHECK(device->partition_table.empty());
}

TEST_CASE("devices: a CD", "[init]") {
  TempDir folder;
  const auto image = folder.path() / "cd.iso";
  write_file(folder.path() / "content/file", "x");
  if (!make({"xorriso", "-as", "mkisofs", "-quiet", "-V", "RANCHEROS", "-o", image.string(),
             (folder.path() / "content").string()}))
    return;
  const auto device = probe(image);
  REQUIRE(device);
  CHECK(device->type == "iso9660");
  CHECK(device->label == "RANCHEROS");
}

TEST_CASE("devices: a disk that is divided is not empty", "[init]") {
  TempDir folder;
  const auto image = folder.path() / "disk";
  const std::string label = GENERATE("gpt", "dos");
  make_zeros(image, 8 << 20);
  if (!divide(image, "label: " + label + "\n,\n")) return;
  const auto device = probe(image);
  REQUIRE(device);
  CHECK(device->type.empty());
  CHECK(device->partition_table == label);
  CHECK_FALSE(device->empty());
}

TEST_CASE("devices: two signatures are nobody's to trust", "[init]") {
  TempDir folder;
  const auto image = folder.path() / "disk", other = folder.path() / "other";
  make_zeros(image, 8 << 20);
  make_zeros(other, 8 << 20);
  if (!make({"mke2fs", "-q", "-F", "-t", "ext4", "-L", "X", image.string()}) ||
      !make({"mkfs.vfat", "-n", "X", other.string()}))
    return;
  std::string bytes = read_file(image);
  bytes.replace(0, 512, read_file(other), 0, 512);  // ext4 leaves its first KiB to others
  write_file(image, bytes);
  const auto device = probe(image);
  REQUIRE(device);
  CHECK(device->type == "ambiguous");
  CHECK(device->label.empty());
  CHECK_FALSE(device->empty());
}

TEST_CASE("devices: zeros are empty, and what cannot be read is nothing", "[init]") {
  TempDir folder;
  make_zeros(folder.path() / "disk", 8 << 20);
  const auto device = probe(folder.path() / "disk");
  REQUIRE(device);
  CHECK(device->empty());
  CHECK_FALSE(probe(folder.path() / "absent"));
  CHECK_FALSE(probe(folder.path()));
}

TEST_CASE("devices: a device answers to its names", "[init]") {
  const Device device{.path = "/dev/vda1",
                      .type = "ext4",
                      .label = "STATE",
                      .uuid = "1-2",
                      .part_label = "part",
                      .part_uuid = "3-4"};
  for (const char* spec :
       {"/dev/vda1", "LABEL=STATE", "UUID=1-2", "PARTLABEL=part", "PARTUUID=3-4"}) {
    CAPTURE(spec);
    CHECK(device_matches(device, spec));
  }
  for (const char* spec : {"/dev/vda", "vda1", "STATE", "LABEL=state", "LABEL=STATE1", "UUID=3-4",
                           "PARTUUID=1-2", "PARTLABEL=STATE", "TYPE=ext4", "label=STATE", ""}) {
    CAPTURE(spec);
    CHECK_FALSE(device_matches(device, spec));
  }
}

TEST_CASE("devices: nothing wanted matches nothing", "[init]") {
  for (const char* spec : {"LABEL=", "UUID=", "PARTLABEL=", "PARTUUID="}) {
    CAPTURE(spec);
    CHECK_FALSE(device_matches(Device{.path = "/dev/vda1"}, spec));
  }
}

TEST_CASE("devices: a link leads to the device, whatever its name", "[init]") {
  TempDir folder;
  const auto target = fs::canonical(folder.path()) / "vda1";
  write_file(target, "");
  fs::create_symlink(target, folder.path() / "by-id=7");
  CHECK(device_matches({.path = target.string()}, (folder.path() / "by-id=7").string()));
  CHECK_FALSE(device_matches({.path = "/dev/vda1"}, (folder.path() / "by-id=7").string()));
}
