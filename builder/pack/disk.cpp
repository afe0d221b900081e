#include "builder/pack/disk.h"

#include <fmt/format.h>

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

constexpr std::uint64_t kEspSize = 64 * kMiB;
constexpr std::uint64_t kLeastState = 64 * kMiB;
constexpr std::uint64_t kHead = kMiB;  // partition table, and alignment of the first partition
constexpr std::uint64_t kTail = kMiB;  // its copy

// Two versions beside each other, and what ext4 needs for itself.
std::uint64_t boot_size(const DiskSpec& spec, const Tree& medium) {
  if (spec.boot_size) return spec.boot_size;
  const std::uint64_t content = medium.content_bytes();
  return round_up(2 * content + content / 10 + 64 * kMiB, 16 * kMiB);
}

struct Partitions {
  Partition bios, esp, boot, state;
};

Partitions lay_out(const DiskSpec& spec, std::uint64_t boot) {
  const auto guid = [&](const char* what) {
    return ros::uuid_from(spec.seed + " partition " + what);
  };
  const std::uint64_t bios_at = kHead;
  const std::uint64_t esp_at = bios_at + kMiB;
  const std::uint64_t boot_at = esp_at + kEspSize;
  const std::uint64_t state_at = boot_at + boot;
  return {{kBiosBootType, guid("bios"), "BIOS boot", bios_at, kMiB},
          {kEspType, guid("esp"), "ESP", esp_at, kEspSize},
          {kLinuxType, guid("boot"), kDiskLabel, boot_at, boot},
          {kLinuxType, guid("state"), kStateLabel, state_at, spec.size - kTail - state_at}};
}

std::uint64_t least(std::uint64_t boot) {
  return kHead + kMiB + kEspSize + boot + kLeastState + kTail;
}

std::string mebibytes(std::uint64_t size) {
  return fmt::format("{} MiB", round_up(size, kMiB) / kMiB);
}

}  // namespace

std::uint64_t least_disk_size(const DiskSpec& spec) {
  return least(boot_size(spec, medium_tree(spec.medium, kDiskLabel)));
}

void write_disk(const DiskSpec& spec, const fs::path& out, const Toolbox& toolbox,
                std::stop_token stop) {
  const Tree medium = medium_tree(spec.medium, kDiskLabel);
  const std::uint64_t boot = boot_size(spec, medium);
  if (spec.size % kMiB != 0)
    throw Error{fmt::format("a disk of {} bytes is not whole MiB", spec.size), Error::Kind::input};
  if (spec.size < least(boot))
    throw Error{fmt::format("a disk of {} is too small: it needs at least {} ({} for {}, of which "
                            "one version takes {})",
                            mebibytes(spec.size), mebibytes(least(boot)), mebibytes(boot),
                            kDiskLabel, mebibytes(medium.content_bytes())),
                Error::Kind::input}
        .hint("give the artifact a larger `size`");
  const Partitions parts = lay_out(spec, boot);

  const ros::Fd disk = create_sparse(out.string(), spec.size);
  const BiosBoot bios = bios_boot(toolbox, kDiskLabel, parts.bios.offset / kSector, stop);
  if (bios.core.size() > parts.bios.size) throw Error{"GRUB's core image is too large"};
  write_gpt(disk.get(), spec.size, ros::uuid_from(spec.seed + " disk"),
            {parts.bios, parts.esp, parts.boot, parts.state}, bios.boot_sector);
  write_at(disk.get(), parts.bios.offset, bios.core);
  write_fat(esp_tree(toolbox, kDiskLabel), disk.get(), parts.esp.offset,
            {.size = parts.esp.size,
             .label = "ESP",
             .serial = static_cast<std::uint32_t>(
                 std::stoul(ros::sha256(spec.seed + " esp").substr(0, 8), nullptr, 16)),
             .hidden = parts.esp.offset / kSector});

  const ros::TempDir scratch(fs::absolute(out).parent_path());
  const fs::path image = scratch.path() / "ext4";
  const auto place = [&](const Tree& tree, const Partition& partition, bool for_grub) {
    write_ext4(tree, image,
               {.size = partition.size,
                .label = partition.name,
                .seed = spec.seed + " " + partition.name,
                .for_grub = for_grub},
               toolbox, stop);
    copy_sparse(image.string(), disk.get(), partition.offset, stop);
  };
  place(medium, parts.boot, true);
  place({}, parts.state, false);
}

}  // namespace rosbuild
