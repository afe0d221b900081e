// The card (or USB disk) of a Raspberry Pi, 64 bit, as a raw disk image with an MBR, which
// all of their boot ROMs read:
//
//   1 RANCHER_PI     FAT32: firmware, device trees, U-Boot, GRUB, and the medium (medium.h),
//                    with room for two versions
//   2 RANCHER_STATE  ext4, to the end; grows on the first boot
//
// firmware -> U-Boot, which is UEFI enough -> GRUB -> kernel: versions are chosen, tried and
// left as on every disk (docs/upgrade.md).
#pragma once

#include <stop_token>

#include "builder/pack/disk.h"

namespace rosbuild {

// Writes the image to `out`; throws ros::Error with the numbers when `size` is too small.
void write_pi(const DiskSpec& spec, const fs::path& out, const Toolbox& toolbox,
              std::stop_token stop = {});

}  // namespace rosbuild
