#include "builder/pack/pi.h"

#include <fmt/format.h>

#include "builder/pack/bytes.h"
#include "builder/pack/ext4.h"
#include "builder/pack/fat.h"
#include "builder/pack/gpt.h"
#include "builder/pack/stream.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

constexpr const char* kFirmware = "usr/lib/raspi-firmware";
// Of FAT32, when that leaves as many as it must have (65525).
constexpr std::uint32_t kCluster = 4096, kLeastCluster = 512;
constexpr std::uint64_t kLargeFrom = 280 * kMiB;
// MBR (UEFI specification 2.10, section 5.2).
constexpr std::uint8_t kFat32Type = 0x0c, kLinuxMbrType = 0x83;

std::uint32_t number_from(const std::string& seed) {
  return static_cast<std::uint32_t>(std::stoul(ros::sha256(seed).substr(0, 8), nullptr, 16));
}

// Read by the firmware; what it does not boot by itself it leaves to U-Boot.
std::string config_text(const ros::Release& release) {
  return fmt::format(
      "# For the firmware of the Raspberry Pi; yours to change: an upgrade leaves it alone.\n"
      "arm_64bit=1\n"
      "enable_uart=1\n"
      "# Names of device trees are those of Linux.\n"
      "upstream_kernel=1\n"
      "kernel=u-boot.bin\n"
      "# Without U-Boot and GRUB, and so without a choice of versions: put a # before the line\n"
      "# above and take it away here. The command line is then the one of cmdline.txt.\n"
      "#kernel={0}\n"
      "#initramfs {1}/initrd followkernel\n",
      kernel_path(release), release.version);
}

Tree boot_tree(const DiskSpec& spec, const Toolbox& toolbox) {
  Tree tree = medium_tree(spec.medium, ros::kPiLabel);
  tree.merge(spec.device_trees);
  const auto put = [&](const std::string& path, Content content) {
    tree.put(path, {.mtime = toolbox.epoch(), .content = std::move(content)});
  };
  const auto file = [&](const std::string& path) {
    return Content::whole_file(toolbox.path(path));
  };
  // start.elf is of the models before 4, start4.elf of 4; later ones have theirs in flash.
  for (const std::string name :
       {"bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"})
    put(name, file(fmt::format("{}/{}", kFirmware, name)));
  const Tree overlays = read_tree(toolbox.path(kFirmware) / "overlays", toolbox.epoch());
  for (const auto& [path, entry] : overlays.entries()) tree.put("overlays/" + path, entry);
  put("LICENCE.broadcom", file("usr/share/doc/raspi-firmware/copyright"));
  put("u-boot.bin", file("usr/lib/u-boot/rpi_arm64/u-boot.bin"));
  put("EFI/BOOT/BOOTAA64.EFI", file("usr/lib/grub/arm64-efi-signed/grubaa64.efi.signed"));
  put(ros::kSignedConfig, ros::signed_config(ros::kPiLabel));
  put("config.txt", config_text(spec.medium.release));
  put("cmdline.txt", ros::join(spec.medium.cmdline, " ") + "\n");
  return tree;
}

struct Part {
  std::uint8_t type = 0;
  std::uint64_t offset = 0;  // bytes
  std::uint64_t size = 0;
};

std::string mbr(const std::vector<Part>& parts, std::uint32_t signature) {
  constexpr std::size_t kTable = 446, kEntry = 16;
  std::string sector(kSector, '\0');
  put_le(sector, 440, signature);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t at = kTable + i * kEntry;
    // Cylinders and heads are nothing's any more: the largest of them, as for any large disk.
    put_text(sector, at + 1, std::string_view("\xfe\xff\xff", 3));
    put_le(sector, at, static_cast<std::uint8_t>(i == 0 ? 0x80 : 0));  // U-Boot looks here first
    put_le(sector, at + 4, parts[i].type);
    put_text(sector, at + 5, std::string_view("\xfe\xff\xff", 3));
    put_le(sector, at + 8, static_cast<std::uint32_t>(parts[i].offset / kSector));
    put_le(sector, at + 12, static_cast<std::uint32_t>(parts[i].size / kSector));
  }
  put_le<std::uint16_t>(sector, 510, 0xaa55);
  return sector;
}

}  // namespace

void write_pi(const DiskSpec& spec, const fs::path& out, const Toolbox& toolbox,
              std::stop_token stop) {
  const Tree tree = boot_tree(spec, toolbox);
  const Part boot{kFat32Type, ros::kDiskHead, ros::boot_partition_size(tree.content_bytes())};
  const std::uint64_t state_at = boot.offset + boot.size;
  if (spec.size % kMiB != 0 || spec.size < state_at + ros::kLeastStateSize)
    throw ros::Error{
        fmt::format("a card of {} bytes is not whole MiB, or less than the {} MiB that "
                    "{} and {} need",
                    spec.size, (state_at + ros::kLeastStateSize) / kMiB, ros::kPiLabel,
                    ros::kStateLabel),
        ros::Error::Kind::input}
        .at(spec.size_at)
        .hint("give the artifact a larger `size`");
  const Part state{kLinuxMbrType, state_at, spec.size - state_at};

  const ros::Fd disk = create_sparse(out.string(), spec.size);
  write_at(disk.get(), 0, mbr({boot, state}, number_from(spec.seed + " disk")));
  write_fat(tree, disk.get(), boot.offset,
            {.size = boot.size,
             .label = ros::kPiLabel,
             .serial = number_from(spec.seed + " boot"),
             .hidden = boot.offset / kSector,
             .cluster = boot.size < kLargeFrom ? kLeastCluster : kCluster});
  const ros::TempDir scratch(fs::absolute(out).parent_path());
  const fs::path image = scratch.path() / "ext4";
  const Tree empty;
  write_ext4(empty, image,
             {.size = std::min(state.size, kFirstStateSize),
              .label = ros::kStateLabel,
              .seed = spec.seed + " " + ros::kStateLabel,
              .for_grub = false},
             toolbox, stop);
  copy_sparse(image.string(), disk.get(), state.offset, stop);
}

}  // namespace rosbuild
