// State on other file systems than ext4, and on a disk that is encrypted.
#include <catch2/catch.hpp>

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

// The file system was made for half of the disk; growing runs beside the rest.
void check_grows(Guest& guest) {
  guest.run("timeout 60 sh -c 'until [ $(df -m /state | awk \"NR == 2 { print \\$2 }\") -gt 800 ];"
            " do sleep 1; done'");
}

}  // namespace

TEST_CASE("state: XFS grows to its disk and outlives a reboot", "[boot]") {
  ros::TempDir dir;
  const fs::path disk = empty_disk(dir.path(), 1ULL << 30);
  // An XFS label has at most 12 letters, so it cannot be RANCHER_STATE.
  check_output({"mkfs.xfs", "-q", "-L", "BOX_STATE", "-d", "size=512m", disk.string()});
  Guest guest{machine_with("state-xfs", disk, "LABEL=BOX_STATE")};
  guest.expect_ready();
  CHECK(guest.run("findmnt -n -o SOURCE,FSTYPE /state") == "/dev/vda xfs");
  CHECK_THAT(guest.run("ros os status"), Catch::Contains("/dev/vda xfs"));
  check_grows(guest);
  make_image(guest);
  check_whole(guest);
  guest.root("echo kept > /var/lib/rancher/kept");
  guest.reboot();
  CHECK(guest.run("cat /var/lib/rancher/kept") == "kept");
}

TEST_CASE("state: btrfs on LUKS, opened by the passphrase typed at the console", "[boot]") {
  ros::TempDir dir;
  const fs::path plain = empty_disk(dir.path(), 1ULL << 30);
  const fs::path disk = dir.path() / "luks.img";
  check_output({"mkfs.btrfs", "-q", "-L", "RANCHER_STATE", "-b", "512m", plain.string()});
  // Needs no device mapper, so no root. Few iterations: the guest is emulated.
  check_output({"qemu-img", "convert", "-f", "raw", "-O", "luks", "--object",
                std::string{"secret,id=key,data="} + kPassphrase, "-o",
                "key-secret=key,iter-time=50", plain.string(), disk.string()});
  Guest guest{machine_with("state-luks", disk, "/dev/vda")};
  guest.expect("/dev/vda is encrypted. Passphrase", seconds{300});
  guest.type("wrong\n");
  guest.expect("does not open /dev/vda", seconds{120});
  guest.type(std::string{kPassphrase} + "\n");
  guest.expect_ready();
  CHECK_THAT(guest.console(), !Catch::Contains(kPassphrase));
  CHECK(guest.run("findmnt -n -o SOURCE,FSTYPE /state") == "/dev/mapper/luks-vda btrfs");
  CHECK_THAT(guest.run("ros os status"), Catch::Contains("/dev/mapper/luks-vda btrfs"));
  check_grows(guest);
  make_image(guest);
  check_whole(guest);
}
