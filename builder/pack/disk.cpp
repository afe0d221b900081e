#include "builder/pack/disk.h"

#include <fmt/format.h>

#include <algorithm>

#include "builder/pack/bytes.h"
#include "builder/pack/ext4.h"
#include "builder/pack/fat.h"
#include "builder/pack/gpt.h"
#include "builder/pack/grub.h"
#include "builder/pack/stream.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

using ros::Error;

std::uint64_t boot_size(const DiskSpec& spec, const Tree& medium) {
  return spec.boot_size ? spec.boot_size : ros::boot_partition_size(medium.content_bytes());
}

struct Partitions {
  Partition bios, esp, boot, state;
};

Partitions lay_out(const DiskSpec& spec, std::uint64_t boot) {
  const auto guid = [&](const char* what) {
    return ros::uuid_from(spec.seed + " partition " + what);
  };
  const std::uint64_t bios_at = ros::kDiskHead;
  const std::uint64_t esp_at = bios_at + ros::kBiosBootSize;
  const std::uint64_t boot_at = esp_at + ros::kEspSize;
  const std::uint64_t state_at = boot_at + boot;
  return {
      {kBiosBootType, guid("bios"), "BIOS boot", bios_at, ros::kBiosBootSize},
      {kEspType, guid("esp"), "ESP", esp_at, ros::kEspSize},
      {kLinuxType, guid("boot"), kDiskLabel, boot_at, boot},
      {kLinuxType, guid("state"), kStateLabel, state_at, spec.size - ros::kDiskTail - state_at}};
}

std::string mebibytes(std::uint64_t size) {
  return fmt::format("{} MiB", round_up(size, kMiB) / kMiB);
}

}  // namespace

std::uint64_t least_disk_size(const DiskSpec& spec) {
  return ros::least_disk(boot_size(spec, medium_tree(spec.medium, kDiskLabel)));
}

void write_disk(const DiskSpec& spec, const fs::path& out, const Toolbox& toolbox,
                std::stop_token stop) {
  const Tree medium = medium_tree(spec.medium, kDiskLabel);
  const std::uint64_t boot = boot_size(spec, medium);
  if (spec.size % kMiB != 0)
    throw Error{fmt::format("a disk of {} bytes is not whole MiB", spec.size), Error::Kind::input}
        .at(spec.size_at);
  if (spec.size < ros::least_disk(boot))
    throw Error{fmt::format("a disk of {} is too small: it needs at least {} ({} for {}, of which "
                            "one version takes {})",
                            mebibytes(spec.size), mebibytes(ros::least_disk(boot)), mebibytes(boot),
                            kDiskLabel, mebibytes(medium.content_bytes())),
                Error::Kind::input}
        .at(spec.size_at)
        .hint("give the artifact a larger `size`");
  const Partitions parts = lay_out(spec, boot);

  const ros::Fd disk = create_sparse(out.string(), spec.size);
  const std::string& arch = spec.medium.release.arch;
  std::string boot_sector, core;
  if (arch == "amd64") {
    boot_sector = ros::read_file(spec.medium.loader / kBootSector);
    core = ros::read_file(spec.medium.loader / kCoreImage);
    ros::place_core(boot_sector, core, parts.bios.offset / kSector);
  }
  write_gpt(disk.get(), spec.size, ros::uuid_from(spec.seed + " disk"),
            {parts.bios, parts.esp, parts.boot, parts.state}, boot_sector);
  write_at(disk.get(), parts.bios.offset, core);
  write_fat(esp_tree(toolbox, arch, kDiskLabel), disk.get(), parts.esp.offset,
            {.size = parts.esp.size,
             .label = "ESP",
             .serial = static_cast<std::uint32_t>(
                 std::stoul(ros::sha256(spec.seed + " esp").substr(0, 8), nullptr, 16)),
             .hidden = parts.esp.offset / kSector});

  const ros::TempDir scratch(fs::absolute(out).parent_path());
  const fs::path image = scratch.path() / "ext4";
  const auto place = [&](const Tree& tree, const Partition& partition, std::uint64_t size,
                         bool for_grub) {
    write_ext4(tree, image,
               {.size = size,
                .label = partition.name,
                .seed = spec.seed + " " + partition.name,
                .for_grub = for_grub},
               toolbox, stop);
    copy_sparse(image.string(), disk.get(), partition.offset, stop);
  };
  place(medium, parts.boot, parts.boot.size, true);
  place({}, parts.state, std::min(parts.state.size, kFirstStateSize), false);
}

}  // namespace rosbuild
