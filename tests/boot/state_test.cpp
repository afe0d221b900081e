// State on other file systems than ext4, and on a disk that is encrypted.
#include <catch2/catch.hpp>

#include "builder/os/process.h"
#include "tests/boot/scenario.h"

using namespace proof;

namespace {

constexpr const char* kPassphrase = "correct horse";

Machine machine_with(std::string name, const fs::path& disk, const std::string& state) {
  return {.name = std::move(name),
          .disks = {{.path = disk, .bus = Bus::virtio}},
          .arguments = {"-kernel", artifact("amd64", "vmlinuz").string(), "-initrd",
                        artifact("amd64", "initrd").string(), "-append",
                        "console=tty1 console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 panic=10 "
                        "rancher.state.dev=" +
                            state}};
}

// A disk with a vendor's oem-config.yml, labelled RANCHER_OEM.
fs::path oem_disk(const fs::path& folder, std::string_view config) {
  const fs::path disk = empty_disk(folder, 32ULL << 20);
  fs::create_directories(folder / "oem");
  ros::write_file(folder / "oem/oem-config.yml", config);
  check_output({"mke2fs", "-q", "-t", "ext4", "-L", "RANCHER_OEM", "-d", (folder / "oem").string(),
                disk.string()});
  return disk;
}

// The file system was made for half of the disk; growing runs beside the rest.
void check_grows(Guest& guest) {
  guest.run(
      "timeout 60 sh -c 'until [ $(df -m /state | awk \"NR == 2 { print \\$2 }\") -gt 800 ];"
      " do sleep 1; done'");
}

std::int64_t mebibytes_of(Guest& guest, const std::string& folder) {
  return std::stol(guest.run("df -m " + folder + " | awk 'END {print $2}'"));
}

// A LUKS copy of `plain`. qemu-img needs no device mapper, so no root. It sizes the key
// derivation by the processor time of its first round, and refuses when that is counted as
// none, as kernels that count in ticks may: then it is asked again.
void encrypt(const fs::path& plain, const fs::path& disk) {
  rosbuild::Exit exit;
  for (int attempt = 0; attempt < 100; ++attempt) {
    exit = rosbuild::try_run({.argv = {"qemu-img", "convert", "-f", "raw", "-O", "luks", "--object",
                                       std::string{"secret,id=key,data="} + kPassphrase, "-o",
                                       "key-secret=key,iter-time=50",  // the guest is emulated
                                       plain.string(), disk.string()}});
    if (exit.output.find("accurate CPU usage") == std::string::npos) break;
  }
  INFO(exit.output);
  REQUIRE(exit.status == 0);
}

}  // namespace

TEST_CASE("state: XFS grows to its disk and outlives a reboot", "[boot][matrix]") {
  ros::TempDir dir;
  const fs::path disk = empty_disk(dir.path(), 1ULL << 30);
  // An XFS label has at most 12 letters, so it cannot be RANCHER_STATE.
  check_output({"mkfs.xfs", "-q", "-L", "BOX_STATE", "-d", "size=512m", disk.string()});
  auto machine = machine_with("state-xfs", disk, "LABEL=BOX_STATE");
  ros::TempDir oem;  // found by its label, for what comes after the state
  machine.disks.push_back({.path = oem_disk(oem.path(),
                                            "hostname: from-oem\nwrite_files:\n"
                                            "  - {path: /etc/oem, content: here}\n"
                                            "mounts: [[/dev/vdc1, /mnt/grown, xfs]]\n"
                                            "rancher: {resize_device: /dev/vdc1}\n"),
                           .bus = Bus::virtio});
  ros::TempDir grown;
  machine.disks.push_back(
      {.path = outgrown_disk(grown.path(), "gpt", {"mkfs.xfs", "-q"}, 320), .bus = Bus::virtio});
  Guest guest{machine};
  guest.expect_ready();
  CHECK(guest.run("hostname") == "from-oem");
  CHECK(guest.run("cat /etc/oem") == "here");  // the console's container sees it as well
  CHECK(guest.run("findmnt -n -o SOURCE,FSTYPE /state") == "/dev/vda xfs");
  CHECK_THAT(guest.run("ros os status"), Catch::Contains("/dev/vda xfs"));
  check_grows(guest);
  CHECK(mebibytes_of(guest, "/mnt/grown") > 700);  // rancher.resize_device: GPT, mounted
  guest.root("sfdisk --verify /dev/vdc");
  make_image(guest);
  check_whole(guest);
  guest.root("echo kept > /var/lib/rancher/kept");
  guest.reboot();
  CHECK(guest.run("cat /var/lib/rancher/kept") == "kept");
}

TEST_CASE("state: btrfs on LUKS, opened by the passphrase typed at the console", "[boot][matrix]") {
  ros::TempDir dir;
  const fs::path plain = empty_disk(dir.path(), 1ULL << 30);
  const fs::path disk = dir.path() / "luks.img";
  check_output({"mkfs.btrfs", "-q", "-L", "RANCHER_STATE", "-b", "512m", plain.string()});
  encrypt(plain, disk);
  auto machine = machine_with("state-luks", disk, "/dev/vda");
  ros::TempDir grown;
  machine.disks.push_back(
      {.path = outgrown_disk(grown.path(), "gpt", {"mkfs.btrfs", "-q"}, 128), .bus = Bus::virtio});
  machine.arguments.back() += " rancher.resize_device=/dev/vdb";
  Guest guest{machine};
  guest.expect("/dev/vda is encrypted. Passphrase", seconds{300});
  guest.type("wrong\n");
  guest.expect("does not open /dev/vda", seconds{120});
  guest.type(std::string{kPassphrase} + "\n");
  guest.expect_ready();
  CHECK_THAT(guest.console(), !Catch::Contains(kPassphrase));
  CHECK(guest.run("findmnt -n -o SOURCE,FSTYPE /state") == "/dev/mapper/luks-vda btrfs");
  CHECK_THAT(guest.run("ros os status"), Catch::Contains("/dev/mapper/luks-vda btrfs"));
  check_grows(guest);
  guest.root("mount /dev/vdb1 /mnt");
  CHECK(mebibytes_of(guest, "/mnt") > 500);  // rancher.resize_device: GPT, not mounted
  make_image(guest);
  check_whole(guest);
}

TEST_CASE("state: the OEM partition that is named says where it is; full, it grows first",
          "[boot][matrix]") {
  ros::TempDir dir, oem;
  // Not one block of it is free, but its disk has become larger.
  const fs::path disk = empty_disk(dir.path(), 1ULL << 30), filling = dir.path() / "filling";
  check_output({"mke2fs", "-q", "-t", "ext4", "-L", "ELSEWHERE", disk.string(), "64m"});
  ros::write_file(filling, std::string(80 << 20, 'x'));
  check_output({"debugfs", "-w", "-R", "write " + filling.string() + " filled", disk.string()});
  auto machine = machine_with("state-oem", disk, "LABEL=ELSEWHERE");
  machine.disks.push_back(
      {.path = oem_disk(oem.path(),
                        "hostname: from-oem\n"
                        "rancher:\n  state:\n    dev: LABEL=ELSEWHERE\n"
                        "bootcmd:\n"
                        "  - 'echo \"$(findmnt -n -o SOURCE /state)\" > /run/as-text'\n"
                        "  - [touch, /run/as list]\n"),
       .bus = Bus::virtio});
  auto& line = machine.arguments.back();
  line.replace(line.find("rancher.state.dev="), std::string::npos,
               "rancher.state.oem_dev=LABEL=RANCHER_OEM");
  Guest guest{machine};
  guest.expect("the state on /dev/vda is full: it grows first", seconds{300});
  guest.expect_ready();
  CHECK(mebibytes_of(guest, "/state") > 900);
  CHECK(guest.run("findmnt -n -o SOURCE /state") == "/dev/vda");
  CHECK(guest.run("hostname") == "from-oem");
  CHECK(guest.root("echo \"[$(cat /run/as-text)]\"; ls '/run/as list'") == "[]\n/run/as list");
}
