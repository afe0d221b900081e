// The mounts that every boot makes, as a table with one interpreter, and the
// move from the initramfs into the root made of layers.
#pragma once

#include <string>
#include <vector>

#include "runtime/init/paths.h"

namespace ros {

struct Mount {
  std::string source, target, type;
  unsigned long flags = 0;
  std::string options;
  bool required = true;  // otherwise a failure is only logged
};

// /proc, /sys, /dev, /run and what lies below them, in order.
const std::vector<Mount>& early_mounts();

void mount_one(const Mount& mount);                         // throws Error
void mount_all(const std::vector<Mount>& mounts);           // throws Error for a required one
void bind_mount(const fs::path& from, const fs::path& to);  // recursive; makes the folder `to`

// Makes `new_root` the root of every process: moves /dev, /proc, /run and /sys
// into it, empties the initramfs (files that are open stay in memory), and makes
// all mounts shared so that containers see later ones. Throws Error; when a move
// failed, those before it have been made.
void switch_root(const fs::path& new_root);

// "/dev/fd" and the like, which no kernel makes.
void make_dev_links(const Paths& paths = {});

}  // namespace ros
