#include "builder/pack/pi.h"

#include <fcntl.h>

#include "builder/pack/grub.h"
#include "runtime/base/error.h"
#include "tests/unit/pack/read_back.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

struct Pi {
  ros::TempDir folder;
  fs::path image = folder.path() / "card";
  Toolbox toolbox{folder.path() / "tools", 1'700'000'000};
  DiskSpec spec;

  Pi() {
    const fs::path lib = folder.path() / "tools/usr/lib";
    for (const char* name :
         {"raspi-firmware/bootcode.bin", "raspi-firmware/start.elf", "raspi-firmware/fixup.dat",
          "raspi-firmware/start4.elf", "raspi-firmware/fixup4.dat",
          "raspi-firmware/overlays/pi4-spidev.dtbo", "../share/doc/raspi-firmware/copyright",
          "u-boot/rpi_arm64/u-boot.bin", "grub/arm64-efi-signed/grubaa64.efi.signed"})
      ros::write_file(lib / name, name);
    // The host's mke2fs, dressed as a locked tool.
    fs::create_directories(lib / "../sbin");
    fs::create_symlink("/usr/sbin/mke2fs", lib / "../sbin/mke2fs");
    fs::create_symlink("/usr/lib/x86_64-linux-gnu", lib / "x86_64-linux-gnu");
    fs::create_symlink("/lib64", lib / "../lib64");
    ros::write_file(folder.path() / "tools/etc/mke2fs.conf", "");
    for (const char* name : {"kernel", "initrd", "base"})
      ros::write_file(folder.path() / name, name);
    ros::write_file(folder.path() / "loader" / kEspImage, "esp");
    spec.medium = {.release = {.version = "2.0.0",
                               .arch = "arm64",
                               .platform = "pi",
                               .title = "RancherOS",
                               .cmdline = {"panic=10"},
                               .files = {{"kernel", "2.0.0/vmlinuz", 6, ""},
                                         {"loader", "loader/esp-0.img", 3, ""}}},
                   .kernel = folder.path() / "kernel",
                   .initrd = folder.path() / "initrd",
                   .layers = {{"base-0123456789abcdef.squashfs", folder.path() / "base"}},
                   .loader = folder.path() / "loader",
                   .cmdline = {"console=tty1", "panic=10"},
                   .epoch = 1700000000};
    spec.size = 256 * kMiB;
    spec.seed = "seed";
    spec.device_trees.put_file("bcm2711-rpi-4-b.dtb", std::string("tree"));
  }
  std::string type(const std::string& name) const {
    return ask({.argv = {"mtype", "-i", image.string() + "@@1M", "::/" + name}});
  }
};

}  // namespace

TEST_CASE("pi: an MBR with a FAT partition that boots and a state", "[pack]") {
  Pi pi;
  write_pi(pi.spec, pi.image, pi.toolbox);
  CHECK(fs::file_size(pi.image) == 256 * kMiB);
  const std::string table = ask({.argv = {"sfdisk", "-d", pi.image.string()}});
  CHECK_THAT(table, Contains("label: dos") &&
                        Contains("start=        2048, size=      163840, "
                                 "type=c, bootable") &&
                        Contains("start=      165888, size=      358400, type=83"));
  CHECK_THAT(ask({.argv = {"mdir", "-b", "-/", "-i", pi.image.string() + "@@1M", "::/"}}),
             Contains("::/EFI/BOOT/BOOTAA64.EFI\n") && Contains("::/bcm2711-rpi-4-b.dtb\n") &&
                 Contains("::/overlays/pi4-spidev.dtbo\n") && Contains("::/grub/grubenv\n") &&
                 Contains("::/layers/base-0123456789abcdef.squashfs\n") &&
                 Contains("::/2.0.0/initrd\n"));
  CHECK_THAT(pi.type("config.txt"),
             Contains("\narm_64bit=1\n") && Contains("\nkernel=u-boot.bin\n") &&
                 Contains("\n#kernel=2.0.0/vmlinuz\n#initramfs 2.0.0/initrd followkernel\n"));
  CHECK(pi.type("cmdline.txt") == "console=tty1 panic=10\n");
  CHECK(pi.type("2.0.0/vmlinuz") == "kernel");
  CHECK_THAT(pi.type("EFI/debian/grub.cfg"), Contains("--label RANCHER_PI\n"));
  CHECK_THAT(pi.type("grub/grub.cfg"), Contains("--label RANCHER_PI "));
  const ros::Fd card = ros::open_file(pi.image.string(), O_RDONLY);
  CHECK(ros::read_at(card.get(), 81 * kMiB + 1024 + 0x78, 13) == "RANCHER_STATE");

  // The host's mke2fs may be too old to write the same state twice.
  const auto before_state = [&] { return ros::read_file(pi.image).substr(0, 81 * kMiB); };
  const std::string once = before_state();
  write_pi(pi.spec, pi.image, pi.toolbox);
  CHECK((before_state() == once));
}

TEST_CASE("pi: a card that is too small is refused", "[pack]") {
  Pi pi;
  pi.spec.size = 100 * kMiB;
  CHECK_THROWS_WITH(write_pi(pi.spec, pi.image, pi.toolbox),
                    Contains("less than the 145 MiB that RANCHER_PI and RANCHER_STATE need"));
  pi.spec.size = 256 * kMiB + 512;
  CHECK_THROWS_WITH(write_pi(pi.spec, pi.image, pi.toolbox), Contains("not whole MiB"));
  CHECK_FALSE(fs::exists(pi.image));
}
