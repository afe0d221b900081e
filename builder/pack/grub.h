// Boot loaders, out of locked packages.
//
// UEFI: shim (signed by Microsoft) -> GRUB (signed by Debian, which looks for
// /EFI/debian/grub.cfg on its own partition) -> the medium's grub/grub.cfg.
// BIOS: boot.img in the boot sector -> diskboot.img and GRUB's core image in
// the BIOS boot partition (disk), or one El Torito image (ISO).
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "builder/os/toolbox.h"
#include "builder/os/tree.h"

namespace rosbuild {

// Where Debian's signed GRUB looks for its configuration, and what it says there:
// the configuration is on the medium with this label.
inline constexpr const char* kSignedConfig = "EFI/debian/grub.cfg";
std::string signed_config(const std::string& label);

// The EFI system partition of a medium with this label.
Tree esp_tree(const Toolbox& toolbox, const std::string& label);

// The sector-0 code and the core image for a disk whose BIOS boot partition
// starts at `core_sector`: what grub-bios-setup would install. The first 440
// bytes of `boot_sector` are code, the rest is zero.
struct BiosBoot {
  std::string boot_sector;  // 512 bytes
  std::string core;         // whole sectors
};
BiosBoot bios_boot(const Toolbox& toolbox, const std::string& label, std::uint64_t core_sector,
                   std::stop_token stop = {});

// The El Torito boot image (cdboot.img and core), before xorriso patches its
// boot info table.
std::string eltorito_image(const Toolbox& toolbox, const std::string& label,
                           std::stop_token stop = {});

}  // namespace rosbuild
