// arm64: on QEMU's machine `virt` as servers have it, by AAVMF; and a Raspberry Pi's card on
// `raspi3b`, whose firmware QEMU does not run: what that would load is taken out of the card.
// Slow, since nothing helps the emulation of another architecture: only in `make test-matrix`.
#include <fcntl.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "runtime/base/fd.h"
#include "runtime/base/text.h"
#include "tests/boot/scenario.h"

using namespace proof;
using Catch::Contains;

namespace {

constexpr seconds kStart{900};

Machine server(std::string name, Firmware firmware, std::vector<Disk> disks) {
  return {
      .name = std::move(name), .arch = "arm64", .firmware = firmware, .disks = std::move(disks)};
}

void check_arm(Guest& guest) {
  CHECK(guest.run("uname -m") == "aarch64");
  CHECK(guest.run("docker version -f '{{.Server.Arch}}'") == "arm64");
  CHECK(guest.run("docker image inspect -f '{{.Architecture}}' spot") == "arm64");
  CHECK(guest.root("system-docker images -q").size() > 0);
}

// A card of 2 GiB with the image on it.
class Card {
 public:
  explicit Card(const fs::path& folder) : folder_(folder), path_(folder / "card.img") {
    check_output({"sh", "-c",
                  "bsdtar -xOf " +
                      artifact("raspberry-pi64", "rancheros-raspberry-pi64.zip").string() + " >" +
                      path_.string()});
    fs::resize_file(path_, 2ULL << 30);
  }
  const fs::path& path() const { return path_; }
  // A file of the first partition.
  fs::path take(const std::string& name) const {
    const fs::path file = folder_ / fs::path{name}.filename();
    check_output({"mcopy", "-n", "-o", "-i", partition(), "::/" + name, file.string()});
    return file;
  }
  void put(const fs::path& file, const std::string& name) const {
    check_output({"mcopy", "-o", "-i", partition(), file.string(), "::/" + name});
  }

  // A folder, into the state.
  void put_state(const fs::path& folder, const std::string& name) const {
    std::string commands = "mkdir " + name + "\n";
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const std::string to = name + "/" + entry.path().lexically_relative(folder).string();
      commands += fs::is_directory(entry.path())
                      ? "mkdir " + to + "\n"
                      : "write " + entry.path().string() + " " + to + "\n";
    }
    const fs::path script = folder_ / "debugfs";
    ros::write_file(script, commands);
    check_output({"debugfs", "-w", "-f", script.string(),
                  path_.string() + "?offset=" + std::to_string(state_offset())});
  }

 private:
  std::uint64_t state_offset() const {
    constexpr std::uint64_t kStart = 446 + 16 + 8;  // the second entry of the MBR: first sector
    const std::string bytes =
        ros::read_at(ros::open_file(path_.string(), O_RDONLY).get(), kStart, 4);
    std::uint32_t sector = 0;
    std::memcpy(&sector, bytes.data(), sizeof sector);
    return std::uint64_t{sector} * 512;
  }
  std::string partition() const { return path_.string() + "@@1M"; }

  fs::path folder_;
  fs::path path_;
};

// The serial line's shell says in one line what a command printed; it must end with 0.
std::string serial(Guest& guest, const std::string& command) {
  guest.type("out=$(" + command + " 2>&1); s=$?; echo \"<\"$out\"> status=$s\"\n");
  return guest.expect("<([^$]*)> status=0", seconds{300})[1];
}

// The prompt may have come before the line that was waited for: this asks for another.
void expect_prompt(Guest& guest) {
  guest.type("\n");
  guest.expect("rancher@rancher", seconds{180});
}

}  // namespace

TEST_CASE("arm64: a disk, AAVMF, and an upgrade", "[boot][matrix]") {
  ros::TempDir dir;
  Guest guest{
      server("arm64-disk", Firmware::uefi,
             {{.path = overlay(dir.path(), artifact("arm64", "rancheros.img"), "qcow2", "10G"),
               .format = "qcow2",
               .boot = true},
              {.path = next_disk(dir.path(), "arm64")}})};
  guest.expect_ready(kStart);
  make_image(guest);
  check_whole(guest);
  check_arm(guest);
  CHECK(std::stod(guest.run("findmnt -bno SIZE /state")) > 8e9);
  CHECK_THAT(guest.run("cat /proc/cmdline"), Contains("console=ttyAMA0,115200"));
  guest.run("echo kept > /home/rancher/note");

  // Another version's kernel comes out of another squashfs.
  upgrade_from_next_disk(guest, kStart);
  CHECK(guest.run("cat /home/rancher/note") == "kept");
  check_whole(guest);
}

TEST_CASE("arm64: the ISO and what it installs, AAVMF enforcing Secure Boot", "[boot][matrix]") {
  ros::TempDir dir;
  const fs::path key = dir.path() / "key";
  make_key(key);
  const fs::path disk = empty_disk(dir.path(), 4ULL << 30);
  const auto check_secure = [](Guest& guest) {
    const std::string kernel = guest.root("dmesg");
    CHECK_THAT(kernel, Contains("Secure boot enabled"));
    CHECK_THAT(kernel, Contains("Kernel is locked down"));
  };
  {
    Guest guest{
        server("arm64-iso", Firmware::secure_boot,
               {{.path = artifact("arm64", "rancheros.iso"), .bus = Bus::cdrom, .boot = true},
                {.path = state_disk(dir.path())},
                {.path = disk}})};
    guest.expect_ready(kStart);
    make_image(guest);
    check_whole(guest);
    check_arm(guest);
    check_secure(guest);
    CHECK(guest.run("findmnt -no FSTYPE /run/ros/medium") == "iso9660");
    guest.root("printf '#cloud-config\\nhostname: installed\\nssh_authorized_keys:\\n  - %s\\n' " +
               ros::quote(std::string{ros::trim(ros::read_file(key.string() + ".pub"))}) +
               " > /tmp/cc.yml");
    guest.root("ros install -d /dev/vdb -c /tmp/cc.yml -f --no-reboot", seconds{600});
    guest.power_off(seconds{180});
  }
  Machine machine = server("arm64-installed", Firmware::secure_boot,
                           {{.path = disk, .bus = Bus::nvme, .boot = true}});
  machine.key = key;
  Guest guest{machine};
  guest.expect_ready(kStart);
  check_secure(guest);
  CHECK(guest.run("hostname") == "installed");
  CHECK(guest.run("findmnt -no SOURCE /state") == "/dev/nvme0n1p4");
}

TEST_CASE("arm64: kernel and initrd alone", "[boot]") {
  Machine machine = server("arm64-netboot", Firmware::bios, {});
  machine.arguments = {"-kernel", artifact("arm64", "vmlinuz").string(),
                       "-initrd", artifact("arm64", "initrd").string(),
                       "-append", "console=ttyAMA0,115200 net.ifnames=0 quiet loglevel=4 panic=10"};
  Guest guest{machine};
  guest.expect("running from memory", kStart);
  guest.expect_ready(kStart);
  make_image(guest);
  check_whole(guest);
}

TEST_CASE("raspberry pi: U-Boot, GRUB and all that follows, an upgrade and back",
          "[boot][matrix]") {
  ros::TempDir dir;
  const Card card{dir.path()};
  // There is no network: somebody sits at the serial line.
  const std::string menu = release() + "/menu.cfg";
  const fs::path changed = card.take(menu);
  ros::write_file(changed, ros::replace_all(ros::read_file(changed), "$trial_word ",
                                            "$trial_word rancher.autologin=ttyS1 "));
  card.put(changed, menu);
  // The state is small before it grows, and files that the card has need not be in a release.
  const fs::path next = build_next(dir.path(), "raspberry-pi64");
  const fs::path here = artifact("raspberry-pi64", "release");
  check_output({"sh", "-c",
                "cd " + next.string() + " && for f in layers/* loader/*; do [ ! -e " +
                    (here / "$f").string() + " ] || rm $f; done && cmp " + kNext + "/vmlinuz " +
                    (here / release() / "vmlinuz").string() + " && rm " + kNext + "/vmlinuz"});
  card.put_state(next, "next");
  Guest guest{{.name = "raspberry-pi",
               .arch = "arm64",
               .board = "raspi3b",
               .nic = "none",
               .arguments = {"-kernel", card.take("u-boot.bin").string(), "-dtb",
                             card.take("bcm2837-rpi-3-b.dtb").string(), "-drive",
                             "if=sd,format=raw,file=" + card.path().string()},
               .seed = Seed::none}};
  guest.expect("Booting: mmc 0", seconds{120});  // U-Boot's word
  guest.expect_ready(kStart);
  expect_prompt(guest);
  CHECK(serial(guest, "uname -m") == "aarch64");
  CHECK(serial(guest, "sudo findmnt -no FSTYPE,LABEL /run/ros/medium") == "vfat RANCHER_PI");
  // The state grew over the card: 2 GiB, less what the first partition takes.
  CHECK(std::stod(serial(guest, "findmnt -bno SIZE /state")) > 1.3e9);
  CHECK_THAT(serial(guest, "sudo ros os status"), Contains("/dev/mmcblk0p2"));
  serial(guest,
         "cd / && busybox tar -chf - usr/bin/busybox lib/ld-linux-*.so.* "
         "usr/lib/*-linux-gnu/libc.so.6 usr/lib/*-linux-gnu/libresolv.so.2 | docker import - spot");
  CHECK(serial(guest, "docker run --rm spot /usr/bin/busybox echo made on the spot") ==
        "made on the spot");

  // The shell with nobody asked is what --append brings to the next version.
  serial(guest, "echo kept > /home/rancher/note");
  guest.type("sudo ros os upgrade -f -i /state/next -a rancher.autologin=ttyS1\n");
  guest.expect(std::string{"rancheros: version "} + kNext + " is ready and stays", kStart);
  expect_prompt(guest);
  CHECK(serial(guest, "ros os version") == kNext);
  CHECK(serial(guest, "cat /home/rancher/note") == "kept");
  guest.type("sudo ros os rollback -f\n");
  guest.expect("rancheros: version " + release() + " is ready and stays", kStart);
}
