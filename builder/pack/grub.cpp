#include "builder/pack/grub.h"

#include <fmt/format.h>

#include "builder/pack/bytes.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

using ros::Error;

// Offsets in boot.img and diskboot.img, from GRUB's include/grub/i386/pc/boot.h.
constexpr std::size_t kSectorSize = 512;
constexpr std::size_t kCodeSize = 440;       // the disk signature and partitions follow
constexpr std::size_t kKernelSector = 0x5c;  // 64 bits: where diskboot.img is
constexpr std::size_t kDriveCheck = 0x66;  // a jump over the fix for BIOSes that pass a wrong drive
constexpr std::size_t kFirstList =
    0x200 - 12;  // diskboot.img: start (64), sectors (16), segment (16)

// Everything the menu needs is inside: no module is ever loaded from the medium.
const std::vector<std::string> kModules{
    "biosdisk", "part_gpt", "part_msdos", "normal",  "linux",  "search",   "search_label",
    "echo",     "test",     "configfile", "loadenv", "serial", "terminal", "true",
    "ls",       "cat",      "reboot",     "halt",    "sleep"};

// Read by the core image before it looks for PREFIX/grub.cfg.
std::string embedded_config(const std::string& label) {
  return fmt::format("search.fs_label {} root\nset prefix=($root)/grub\n", label);
}

std::string make_image(const Toolbox& toolbox, const std::string& format,
                       const std::string& filesystem, const std::string& label,
                       const std::stop_token& stop) {
  const ros::TempDir scratch;
  const fs::path config = scratch.path() / "load.cfg";
  const fs::path image = scratch.path() / "image";
  ros::write_file(config, embedded_config(label));
  std::vector<std::string> arguments{
      "-O", format,        "-d", toolbox.path("usr/lib/grub/i386-pc").string(),
      "-p", "/grub",       "-c", config.string(),
      "-o", image.string()};
  arguments.insert(arguments.end(), kModules.begin(), kModules.end());
  arguments.push_back(filesystem);
  run(toolbox.command("grub-mkimage", arguments), stop);
  return ros::read_file(image);
}

}  // namespace

Tree esp_tree(const Toolbox& toolbox, const std::string& label) {
  Tree tree;
  const auto put = [&](const std::string& path, Content content) {
    tree.put(path, {.mtime = toolbox.epoch(), .content = std::move(content)});
  };
  const auto file = [&](const std::string& path) {
    return Content::whole_file(toolbox.path(path));
  };
  put("EFI/BOOT/BOOTX64.EFI", file("usr/lib/shim/shimx64.efi.signed"));
  put("EFI/BOOT/mmx64.efi", file("usr/lib/shim/mmx64.efi.signed"));
  put("EFI/BOOT/grubx64.efi", file("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"));
  put(kSignedConfig, signed_config(label));
  return tree;
}

std::string signed_config(const std::string& label) {
  return fmt::format(
      "search --no-floppy --set=root --label {}\n"
      "set prefix=($root)/grub\n"
      "configfile $prefix/grub.cfg\n",
      label);
}

BiosBoot bios_boot(const Toolbox& toolbox, const std::string& label, std::uint64_t core_sector,
                   std::stop_token stop) {
  BiosBoot boot;
  boot.boot_sector = ros::read_file(toolbox.path("usr/lib/grub/i386-pc/boot.img"));
  if (boot.boot_sector.size() != kSectorSize)
    throw Error{"GRUB's boot.img is not one sector", Error::Kind::tool};
  put_le<std::uint64_t>(boot.boot_sector, kKernelSector, core_sector);
  boot.boot_sector.replace(kDriveCheck, 2, "\x90\x90");  // two no-ops: hard disks want the fix
  boot.boot_sector.replace(kCodeSize, std::string::npos,
                           std::string(kSectorSize - kCodeSize, '\0'));

  boot.core = make_image(toolbox, "i386-pc", "ext2", label, stop);
  boot.core.append((kSectorSize - boot.core.size() % kSectorSize) % kSectorSize, '\0');
  // diskboot.img is the first sector of the core; it loads the rest, which follows it.
  put_le<std::uint64_t>(boot.core, kFirstList, core_sector + 1);
  return boot;
}

std::string eltorito_image(const Toolbox& toolbox, const std::string& label, std::stop_token stop) {
  return make_image(toolbox, "i386-pc-eltorito", "iso9660", label, stop);
}

}  // namespace rosbuild
