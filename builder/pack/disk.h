// A bootable raw disk image (sparse), GPT, for BIOS and UEFI, as runtime/base/disk_layout.h
// says. RANCHER_STATE is empty and grows on the first boot.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "builder/os/toolbox.h"
#include "builder/pack/medium.h"
#include "runtime/base/error.h"

namespace rosbuild {

struct DiskSpec {
  Medium medium;
  std::uint64_t size = 0;       // of the whole disk, bytes, whole MiB
  std::uint64_t boot_size = 0;  // of RANCHER_BOOT, bytes, whole MiB; 0: computed
  std::string seed;             // every identifier follows from it
  ros::Position size_at;        // where somebody asked for `size`
  Tree device_trees = {};       // of a Raspberry Pi's card (pi.h); otherwise none
};

// Of the state's file system, which fills its partition from the first boot on: one block group.
// More would have copies of the superblock all over the disk, and where a format keeps 2 MiB or
// nothing each costs as much.
inline constexpr std::uint64_t kFirstStateSize = 128ULL << 20;

// The least size of a disk for this medium, in bytes.
std::uint64_t least_disk_size(const DiskSpec& spec);

// Writes the image to `out`; throws ros::Error with the numbers when `size` is
// too small. Partition images are made beside `out` and removed.
void write_disk(const DiskSpec& spec, const fs::path& out, const Toolbox& toolbox,
                std::stop_token stop = {});

}  // namespace rosbuild
