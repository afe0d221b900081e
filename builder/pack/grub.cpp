#include "builder/pack/grub.h"

#include <fmt/format.h>

#include "builder/pack/bytes.h"
#include "builder/pack/fat.h"
#include "builder/pack/gpt.h"
#include "builder/pack/stream.h"
#include "runtime/base/digest.h"
#include "runtime/base/disk_layout.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

using ros::Error;

// In boot.img (GRUB's include/grub/i386/pc/boot.h): a jump over the fix for BIOSes that pass a
// wrong drive.
constexpr std::size_t kDriveCheck = 0x66;

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

std::string boot_sector(const Toolbox& toolbox) {
  std::string sector = ros::read_file(toolbox.path("usr/lib/grub/i386-pc/boot.img"));
  if (sector.size() != kSector) throw Error{"GRUB's boot.img is not one sector", Error::Kind::tool};
  sector.replace(kDriveCheck, 2, "\x90\x90");  // two no-ops: hard disks want the fix
  sector.replace(ros::kBootCodeSize, std::string::npos,
                 std::string(kSector - ros::kBootCodeSize, '\0'));
  return sector;
}

void write_esp(const Tree& tree, const fs::path& out, const std::string& seed) {
  // As small as its content lets it be, with a little for tables and rounding.
  const std::uint64_t size = round_up(tree.content_bytes() + kMiB / 16, kMiB / 16);
  const ros::Fd fd = create_sparse(out.string(), size);
  write_fat(tree, fd.get(), 0,
            {.size = size,
             .label = "ESP",
             .serial = static_cast<std::uint32_t>(
                 std::stoul(ros::sha256(seed + " esp").substr(0, 8), nullptr, 16))});
}

}  // namespace

void write_loader(const Toolbox& toolbox, const std::string& arch, const fs::path& folder,
                  const std::string& seed, std::stop_token stop) {
  write_esp(esp_tree(toolbox, arch, ros::kIsoLabel), folder / kEspImage, seed);
  if (arch != "amd64") return;
  ros::write_file(folder / kBootSector, boot_sector(toolbox));
  std::string core = make_image(toolbox, "i386-pc", "ext2", ros::kBootLabel, stop);
  core.append((kSector - core.size() % kSector) % kSector, '\0');
  if (core.size() > ros::kBiosBootSize) throw Error{"GRUB's core image is too large"};
  ros::write_file(folder / kCoreImage, core);
}

Tree esp_tree(const Toolbox& toolbox, const std::string& arch, const std::string& label) {
  // In names of UEFI (specification 2.10, section 3.5.1.1) and of GRUB.
  const bool arm = arch == "arm64";
  const std::string_view ending = arm ? "aa64" : "x64";
  Tree tree;
  const auto put = [&](const std::string& path, Content content) {
    tree.put(path, {.mtime = toolbox.epoch(), .content = std::move(content)});
  };
  const auto file = [&](const std::string& path) {
    return Content::whole_file(toolbox.path(path));
  };
  put(arm ? "EFI/BOOT/BOOTAA64.EFI" : "EFI/BOOT/BOOTX64.EFI",
      file(fmt::format("usr/lib/shim/shim{}.efi.signed", ending)));
  put(fmt::format("EFI/BOOT/mm{}.efi", ending),
      file(fmt::format("usr/lib/shim/mm{}.efi.signed", ending)));
  put(fmt::format("EFI/BOOT/grub{}.efi", ending),
      file(fmt::format("usr/lib/grub/{}-efi-signed/grub{}.efi.signed", arm ? "arm64" : "x86_64",
                       ending)));
  put(ros::kSignedConfig, ros::signed_config(label));
  return tree;
}

std::string eltorito_image(const Toolbox& toolbox, const std::string& label, std::stop_token stop) {
  return make_image(toolbox, "i386-pc-eltorito", "iso9660", label, stop);
}

}  // namespace rosbuild
