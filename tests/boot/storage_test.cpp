// State that lies on RAID and LVM, on a disk of docker-machine, on a full disk; a clock
// without a battery; and the ways to end a machine from outside. Boots are shared.
#include <catch2/catch.hpp>

#include "tests/boot/scenario.h"

using namespace proof;

namespace {

Machine netbooted(std::string name, const std::string& settings) {
  return {
      .name = std::move(name),
      .arguments = {
          "-kernel", artifact("amd64", "vmlinuz").string(), "-initrd",
          artifact("amd64", "initrd").string(), "-append",
          "console=tty1 console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 panic=10 " + settings}};
}

// An empty disk as docker-machine leaves it for boot2docker: a tar at its start, whose
// first member's name is the magic text.
fs::path docker_machine_disk(const fs::path& folder, const fs::path& key) {
  const fs::path disk = empty_disk(folder, 512ULL << 20);
  constexpr const char* kMagic = "boot2docker, please format-me";
  fs::create_directories(folder / "tar/.ssh");
  ros::write_file(folder / "tar" / kMagic, kMagic);
  ros::write_file(folder / "tar/.ssh/authorized_keys", ros::read_file(key.string() + ".pub"));
  const std::string tar = (folder / "disk.tar").string();
  check_output({"tar", "--format=ustar", "-b", "1", "-C", (folder / "tar").string(), "-cf", tar,
                kMagic, ".ssh/authorized_keys"});
  REQUIRE(fs::file_size(tar) <= 8192);
  check_output({"dd", "if=" + tar, "of=" + disk.string(), "conv=notrunc", "status=none"});
  return disk;
}

}  // namespace

TEST_CASE(
    "storage: LVM on a RAID1 keeps the state in a folder, and keys and buttons end the machine",
    "[boot][matrix]") {
  ros::TempDir dir;
  auto machine = netbooted("storage-raid-lvm",
                           "rancher.state.dev=LABEL=RANCHER_STATE rancher.state.wait "
                           "rancher.state.directory=box");
  for (int i = 0; i < 2; ++i)
    machine.disks.push_back({.path = empty_disk(dir.path(), 512ULL << 20), .bus = Bus::virtio});
  const auto plain = machine.arguments;
  machine.arguments.insert(machine.arguments.end(), {"-rtc", "base=1970-01-01T00:00:00"});
  {
    Guest guest{machine};
    guest.expect("waiting for the state", seconds{300});
    guest.expect("no state .LABEL=RANCHER_STATE. was found: running from memory", seconds{300});
    guest.expect_ready();
    CHECK(std::stol(guest.run("date +%Y")) >= 2024);  // certificates are valid
    guest.root(
        "modprobe raid1; modprobe dm_mod;"
        " mdadm --create /dev/md0 --run --metadata=1.2 --level=1 --raid-devices=2 /dev/vda /dev/vdb"
        " && lvm pvcreate /dev/md0 && lvm vgcreate box /dev/md0"
        " && lvm lvcreate --yes --zero n -l 100%FREE -n state box"
        " && mkfs.ext4 -q -L RANCHER_STATE /dev/mapper/box-state && sync");
    guest.disconnect();
    guest.monitor("sendkey ctrl-alt-delete");
    guest.expect("rancheros: rebooting", seconds{60});
    guest.expect_ready();
    CHECK(guest.run("findmnt -n -o FSTYPE /state") == "ext4");
    CHECK(guest.run("cat /sys/class/block/$(basename $(findmnt -n -o SOURCE /state))/dm/name") ==
          "box-state");
    CHECK(guest.root("ls -d /state/box/home /state/box/var/lib/docker") ==
          "/state/box/home\n/state/box/var/lib/docker");
    make_image(guest);
    guest.root("echo kept > /var/lib/rancher/kept");
    guest.monitor("system_powerdown");
    guest.expect("rancheros: powering off", seconds{60});
    guest.expect_off(seconds{120});
  }
  // The same, put together because it is told to; one half of the mirror is lost.
  machine.arguments = plain;
  machine.arguments.back() += " rancher.state.mdadm_scan rancher.state.lvm_scan";
  machine.disks.pop_back();
  Guest guest{machine};
  guest.expect_ready();
  CHECK(guest.run("cat /var/lib/rancher/kept") == "kept");
  check_whole(guest);
  guest.try_run("sudo -n kill -PWR 1");
  guest.expect("rancheros: powering off", seconds{60});
  guest.expect_off(seconds{120});
}

TEST_CASE(
    "storage: docker-machine's disk is formatted, its key logs in, and still does when it is full",
    "[boot][matrix]") {
  ros::TempDir dir;
  const fs::path key = dir.path() / "key";
  make_key(key);
  auto machine = netbooted("storage-b2d", "rancher.state.dev=LABEL=RANCHER_STATE");
  machine.disks = {{.path = docker_machine_disk(dir.path(), key), .bus = Bus::virtio},
                   {.path = make_cd(dir.path(), "cidata",
                                    {{"meta-data", "instance-id: box\n"},
                                     {"user-data", "#cloud-config\nhostname: by-cd\n"}}),
                    .bus = Bus::cdrom}};
  machine.key = key;
  Guest guest{machine};
  guest.expect("formatting /dev/vda for the state, as docker-machine asks", seconds{300});
  guest.expect_ready();
  CHECK(guest.root("findmnt -n -o SOURCE /state; e2label /dev/vda") == "/dev/vda\nB2D_STATE");
  make_image(guest);
  guest.root("echo kept > /var/lib/rancher/kept");
  guest.reboot();
  CHECK(guest.run("cat /var/lib/rancher/kept") == "kept");
  check_whole(guest);

  guest.root("dd if=/dev/zero of=/var/lib/docker/filled bs=64k status=none; sync; true");
  guest.try_run("sudo -n reboot", seconds{60});
  guest.disconnect();
  guest.expect("error: state: /dev/vda is full", seconds{300});
  guest.expect_ready();
  CHECK(guest.run("cat /var/lib/rancher/kept; hostname") == "kept\nby-cd");
  guest.root("rm /var/lib/docker/filled");
  guest.reboot();
  CHECK(guest.run("findmnt -n -o SOURCE /var/lib/system-docker") ==
        "/dev/vda[/var/lib/system-docker]");
  check_whole(guest);
}
