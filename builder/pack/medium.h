// What every bootable medium holds, disk or ISO alike:
//
//   VERSION/vmlinuz  VERSION/initrd  VERSION/menu.cfg  VERSION/release
//   layers/NAME-DIGEST16.squashfs    loader/{boot,core,esp}-DIGEST16.img    grub/grub.cfg
//
// and, on a disk, grub/grubenv and VERSION/append: the words of the command line that are its own,
// not its release's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/os/tree.h"
#include "builder/pack/cpio.h"
#include "runtime/base/disk_layout.h"
#include "runtime/base/release.h"

namespace rosbuild {

inline constexpr const char* kDiskLabel = ros::kBootLabel;
using ros::kIsoLabel;
using ros::kStateLabel;

struct Medium {
  ros::Release release;  // names every file, but for grub/
  fs::path kernel;
  fs::path initrd;
  std::vector<NamedFile> layers;     // bottom to top
  fs::path loader;                   // a folder that write_loader made
  std::vector<std::string> cmdline;  // of the kernel, from this medium
  std::int64_t epoch = 0;
};

// Where the file `name` of the loader's folder is on a medium: "loader/esp-0123456789abcdef.img".
std::string loader_path(const Medium& medium, const std::string& name);

// `label`: kDiskLabel, kIsoLabel or ros::kPiLabel. Throws ros::Error when a file is missing.
Tree medium_tree(const Medium& medium, const std::string& label);

}  // namespace rosbuild
