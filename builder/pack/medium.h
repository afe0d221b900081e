// What every bootable medium holds, disk or ISO alike:
//
//   VERSION/vmlinuz  VERSION/initrd  layers/NAME-DIGEST16.squashfs  grub/grub.cfg
//
// and the text of its GRUB menu.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/os/tree.h"
#include "builder/pack/cpio.h"

namespace rosbuild {

// File system labels by which GRUB and init find the medium.
inline constexpr const char* kDiskLabel = "RANCHER_BOOT";
inline constexpr const char* kStateLabel = "RANCHER_STATE";
inline constexpr const char* kIsoLabel = "RANCHEROS";

struct Medium {
  std::string title;    // "RancherOS", for the menu
  std::string version;  // "2.0.0", names the folder
  fs::path kernel;
  fs::path initrd;
  std::vector<NamedFile> layers;     // bottom to top
  std::vector<std::string> cmdline;  // of the kernel
  std::int64_t epoch = 0;
};

// The menu: current, debug, recovery and autologin entries, three seconds, on
// the screen and the first serial port. `label`: kDiskLabel or kIsoLabel.
std::string make_grub_cfg(const Medium& medium, const std::string& label);

Tree medium_tree(const Medium& medium, const std::string& label);

}  // namespace rosbuild
