// Which version a disk boots: GRUB's environment block, grub/grubenv of RANCHER_BOOT, and the
// GRUB menu that goes by it. docs/upgrade.md tells the story.
//
// The block (GRUB manual, "The GRUB environment block") has 1024 bytes. GRUB and we write it in
// place, and all that it says fits into its first sector, which a disk writes whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "runtime/base/release.h"

namespace ros {

inline constexpr const char* kBootStateFile = "grub/grubenv";
inline constexpr int kTrialStarts = 3;  // GRUB's menu knows this number by heart

struct BootState {
  std::string current;   // boots when nothing is on trial
  std::string previous;  // was current before it
  std::string trial;     // boots while `tries` is not 0, and becomes current when it is ready
  int tries = 0;         // starts that are left; GRUB counts down
  std::string failed;    // the last that was on trial in vain, and why
  std::string reason;
  bool operator==(const BootState&) const = default;
};

// The whole block. Reasons are cut so that the first sector holds everything.
std::string to_block(const BootState& state);
// Whatever the bytes are: what cannot be understood is not there.
BootState parse_block(std::string_view block);

// grub/grub.cfg of a medium with this label (GRUB searches for it): never changes after it was
// written, so `current` is only what boots when the block has nothing.
std::string grub_config(std::string_view title, std::string_view label, std::string_view current);

// VERSION/menu.cfg, the entries of one version. `cmdline` is all of the kernel's command line.
std::string version_menu(const Release& release, const std::vector<std::string>& cmdline);

}  // namespace ros
