// `ros install`, from the ISO onto empty disks, which then boot by themselves.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "runtime/base/text.h"
#include "tests/boot/scenario.h"

using namespace proof;
using Catch::Contains;

namespace {

// What the installed boxes let in.
std::string cloud_config(const fs::path& key) {
  return "#cloud-config\nhostname: installed\nssh_authorized_keys:\n  - " +
         std::string{ros::trim(ros::read_file(key.string() + ".pub"))} + "\n";
}

void put(Guest& guest, const std::string& path, const std::string& content) {
  guest.run("printf %s " + ros::quote(content) + " > " + path);
}

// Nothing may be on the disk afterwards.
void check_refusals(Guest& guest) {
  const auto refused = [&](const std::string& arguments, const std::string& why) {
    const Result result = guest.try_run("sudo -n ros install -f " + arguments);
    CHECK(result.status != 0);
    CHECK_THAT(result.output, Contains(why));
  };
  put(guest, "/tmp/bad.yml", "#cloud-config\nhostnmae: x\n");
  refused("-d /dev/vda -c /tmp/bad.yml", "/tmp/bad.yml:2:1");
  refused("-d /dev/vda -c /tmp/absent.yml", "/tmp/absent.yml");
  refused("-d /dev/vda -t raid", "no install type raid");
  refused("-d /dev/vda -t noformat", "no partition labelled RANCHER_BOOT");
  refused("-d /dev/vdc", "needs");      // 64 MiB
  refused("-d /dev/vdd", "is in use");  // mounted
  refused("-d /tmp/bad.yml", "is no disk");
  const Result asked = guest.try_run("echo no | sudo -n ros install -d /dev/vda");
  CHECK(asked.status == 1);
  CHECK_THAT(asked.output, Contains("Everything on /dev/vda will be lost. Install?"));
  CHECK(guest.root("cmp -n 1048576 /dev/zero /dev/vda && echo untouched") == "untouched");
}

// Onto an MBR on /dev/vdb, while udev is slow: what it does to the table after the partitioning
// must not hit an installation that is at work on the partitions.
void install_before_udev(Guest& guest) {
  guest.run("mkfifo /tmp/answer");
  guest.root(
      "(ros install -d /dev/vdb -t mbr -c /tmp/cc.yml --no-reboot;"
      " echo ended $?) 0<>/tmp/answer > /tmp/said 2>&1 &");
  await(guest, "grep -q 'Everything on /dev/vdb will be lost' /tmp/said");
  guest.root("SYSTEMD_IGNORE_CHROOT=1 udevadm settle && kill -STOP $(pidof systemd-udevd)");
  guest.root("echo yes > /tmp/answer");
  await(guest, "test -b /dev/vdb3 && pidof udevadm");
  CHECK(guest.root("blkid -p -s TYPE -o value /dev/vdb1 || true").empty());
  guest.root("kill -CONT $(pidof systemd-udevd)");
  await(guest, "grep '^ended ' /tmp/said");
  const std::string said = guest.run("cat /tmp/said");
  CHECK_THAT(said, Contains("ended 0") && !Contains("codepage"));
  CHECK_THAT(guest.root("blkid -p /dev/vdb1"), Contains("LABEL=\"ESP\""));
}

}  // namespace

TEST_CASE("install: from the ISO onto GPT for Secure Boot, and onto MBR for BIOS", "[boot]") {
  ros::TempDir dir;
  const fs::path key = dir.path() / "key";
  make_key(key);
  const fs::path gpt = empty_disk(dir.path(), 4ULL << 30);
  const fs::path mbr = empty_disk(dir.path(), 4ULL << 30);
  const fs::path used = empty_disk(dir.path(), 2ULL << 30);
  check_output({"mke2fs", "-q", "-t", "ext4", used.string()});
  {
    Guest guest{
        {.name = "install-iso",
         .firmware = Firmware::secure_boot,
         .disks = {{.path = artifact("amd64", "rancheros.iso"), .bus = Bus::cdrom, .boot = true},
                   {.path = gpt, .bus = Bus::virtio},
                   {.path = mbr, .bus = Bus::virtio},
                   {.path = empty_disk(dir.path(), 64ULL << 20), .bus = Bus::virtio},
                   {.path = used, .bus = Bus::virtio}}}};
    guest.expect_ready();
    guest.root("mount /dev/vdd /mnt");
    check_refusals(guest);
    const Result upgrade = guest.try_run("sudo -n ros os upgrade -i http://192.0.2.1/none");
    CHECK_THAT(upgrade.output, Contains("runs from an ISO") && Contains("ros install"));

    put(guest, "/tmp/cc.yml", cloud_config(key));
    guest.root("ros install -d /dev/vda -c /tmp/cc.yml -f --no-reboot", seconds{400});
    // Again, but into what is there: a lost boot loader comes back, the state stays.
    guest.root(
        "mount /dev/vda2 /media && rm -r /media/EFI && umount /media &&"
        " dd if=/dev/zero of=/dev/vda bs=440 count=1 conv=notrunc status=none");
    guest.root("ros install -d /dev/vda -t noformat -f --no-reboot -a proof.append=1",
               seconds{400});
    install_before_udev(guest);
    guest.power_off(seconds{180});
  }
  {
    Guest guest{{.name = "install-gpt",
                 .firmware = Firmware::secure_boot,
                 .disks = {{.path = gpt, .bus = Bus::ahci, .boot = true}},
                 .key = key}};
    exercise(guest);
    CHECK(guest.run("hostname") == "installed");
    CHECK_THAT(guest.run("cat /proc/cmdline"), Contains("proof.append=1"));
    CHECK_THAT(guest.root("dmesg"), Contains("Secure boot enabled"));
    CHECK_THAT(guest.run("findmnt -n -o SOURCE,SIZE /state"), Contains("/dev/sda4"));
  }
  {
    Guest guest{{.name = "install-mbr",
                 .memory_mb = 512,
                 .disks = {{.path = mbr, .bus = Bus::ide, .boot = true}},
                 .key = key}};
    exercise(guest);
    CHECK(guest.run("hostname") == "installed");
    CHECK(guest.root("blkid -s PTTYPE -o value /dev/sda") == "dos");
  }
}

TEST_CASE("install: images are saved, and kexec starts what was installed", "[boot][matrix]") {
  ros::TempDir dir;
  const fs::path key = dir.path() / "key";
  make_key(key);
  Guest guest{
      {.name = "install-kexec",
       .memory_mb = 1536,
       .disks = {{.path = artifact("amd64", "rancheros.iso"), .bus = Bus::cdrom, .boot = true},
                 {.path = empty_disk(dir.path(), 4ULL << 30), .bus = Bus::virtio}}}};
  guest.expect_ready();
  make_image(guest);
  guest.run("docker save spot | sudo -n system-docker load");
  const auto definition = [](const std::string& name, const std::string& image) {
    return fmt::format(
        "    {}:\n      image: {}\n      command: /usr/bin/busybox sleep 1000000\n"
        "      labels: {{io.rancher.os.scope: system}}\n",
        name, image);
  };
  const std::string own = "#cloud-config\nssh_authorized_keys: ['" +
                          std::string{ros::trim(ros::read_file(guest.folder() / "key.pub"))} +
                          "']\nrancher:\n  services:\n";

  // What cannot be had is said before the disk is touched.
  put(guest, "/tmp/bad.yml", own + definition("proof", "10.0.2.2:9/none"));
  const Result refused =
      guest.try_run("sudo -n ros install -f -d /dev/vda --save -c /tmp/bad.yml", seconds{300});
  CHECK(refused.status != 0);
  CHECK_THAT(refused.output, Contains("image 10.0.2.2:9/none cannot be pulled"));
  CHECK_THAT(guest.try_run("sudo -n ros install -f -d /dev/vda --kexec --no-reboot").output,
             Contains("not with --no-reboot"));
  CHECK(guest.root("cmp -n 1048576 /dev/zero /dev/vda && echo untouched") == "untouched");

  put(guest, "/tmp/cc.yml", own + definition("proof", "spot"));
  guest.try_run("sudo -n ros install -f -d /dev/vda --save --kexec -c /tmp/cc.yml", seconds{600});
  guest.disconnect();
  const auto before = guest.console().size();
  guest.expect("rancheros: down after", seconds{180});
  guest.expect_ready();
  // The firmware and GRUB would have spoken on the serial line.
  CHECK_THAT(guest.console().substr(before), !Contains("SeaBIOS") && !Contains("GRUB"));
  CHECK_THAT(guest.run("cat /proc/cmdline"), Contains("rancher.state.dev=LABEL=RANCHER_STATE"));
  CHECK_THAT(guest.run("findmnt -n -o SOURCE /state"), Contains("/dev/vda4"));
  await(guest, "sudo -n system-docker ps --format '{{.Names}}' | grep -qx proof");
}

TEST_CASE("install: into partitions that are there, the state on a RAID1 of two disks; an upgrade",
          "[boot][matrix]") {
  ros::TempDir dir;
  const fs::path key = dir.path() / "key";
  make_key(key);
  std::vector<Disk> disks{{.path = empty_disk(dir.path(), 1ULL << 30), .bus = Bus::virtio}};
  for (int i = 0; i < 2; ++i)
    disks.push_back({.path = empty_disk(dir.path(), 768ULL << 20), .bus = Bus::virtio});
  {
    Machine machine{.name = "install-raid", .disks = disks};
    machine.disks.push_back(
        {.path = artifact("amd64", "rancheros.iso"), .bus = Bus::cdrom, .boot = true});
    Guest guest{machine};
    guest.expect_ready();
    guest.root(
        "modprobe raid1; mdadm --create /dev/md0 --run --metadata=1.2 --level=1 --raid-devices=2"
        " /dev/vdb /dev/vdc && mkfs.ext4 -q /dev/md0");
    guest.root(
        "printf 'label: gpt\\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649\\n,\\n' |"
        " sfdisk -q /dev/vda && SYSTEMD_IGNORE_CHROOT=1 udevadm settle && mkfs.ext4 -q -L "
        "RANCHER_BOOT /dev/vda2");
    put(guest, "/tmp/cc.yml", cloud_config(key));
    const std::string command = "ros install -f --no-reboot -d /dev/vda -c /tmp/cc.yml";
    const auto refused = [&](const std::string& more, const std::string& why) {
      const Result result = guest.try_run("sudo -n " + command + more);
      CHECK(result.status != 0);
      CHECK_THAT(result.output, Contains(why));
    };
    refused(" -p /dev/md0", "--partition names a state that is there already");
    refused(" -t noformat", "no partition labelled RANCHER_STATE");
    refused(" -t noformat -p /dev/md0", "/dev/md0 has no file system labelled RANCHER_STATE");
    guest.root("e2label /dev/md0 RANCHER_STATE");
    guest.root(
        command + " -t noformat -p /dev/md0 -a 'rancher.state.mdadm_scan rancher.state.wait'",
        seconds{400});
    guest.power_off(seconds{180});
  }
  disks.front().boot = true;
  disks.push_back({.path = next_disk(dir.path(), "amd64"), .bus = Bus::virtio});
  Guest guest{{.name = "install-raid-disk", .disks = disks, .key = key}};
  exercise(guest);
  upgrade_from_next_disk(guest, seconds{420});
  CHECK(guest.run("cat /home/rancher/note") == "kept");
  CHECK(guest.run("hostname") == "installed");
  CHECK_THAT(guest.run("findmnt -n -o SOURCE /state"), Contains("/dev/md"));
  CHECK_THAT(guest.run("findmnt -n -o SOURCE /run/ros/medium"), Contains("/dev/vda2"));
}
