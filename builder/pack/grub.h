// Boot loaders, out of locked packages.
//
// UEFI: shim (signed by Microsoft) -> GRUB (signed by Debian, which looks for
// /EFI/debian/grub.cfg on its own partition) -> the medium's grub/grub.cfg.
// BIOS (amd64): boot.img in the boot sector -> diskboot.img and GRUB's core image in
// the BIOS boot partition (disk), or one El Torito image (ISO).
#pragma once

#include <stop_token>
#include <string>

#include "builder/os/toolbox.h"
#include "builder/os/tree.h"

namespace rosbuild {

// What a medium carries so that `ros install` can make a disk bootable from it; files of a
// folder. The first two are for BIOS, which only amd64 has.
inline constexpr const char* kBootSector = "boot.img";  // 512 bytes, of which 440 are code
inline constexpr const char* kCoreImage = "core.img";   // whole sectors; see ros::place_core
inline constexpr const char* kEspImage = "esp.img";     // that of an ISO, a FAT file system

// Writes them into `folder`. `seed`: identifiers follow from it.
void write_loader(const Toolbox& toolbox, const std::string& arch, const fs::path& folder,
                  const std::string& seed, std::stop_token stop = {});

// The EFI system partition of a medium with this label.
Tree esp_tree(const Toolbox& toolbox, const std::string& arch, const std::string& label);

// The El Torito boot image (cdboot.img and core), before xorriso patches its
// boot info table.
std::string eltorito_image(const Toolbox& toolbox, const std::string& label,
                           std::stop_token stop = {});

}  // namespace rosbuild
