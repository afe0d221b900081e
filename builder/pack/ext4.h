// Tree -> ext4 image through the locked mke2fs, which is fed a tar archive, so
// that owners need no root. The image is sparse.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "builder/os/toolbox.h"
#include "builder/os/tree.h"

namespace rosbuild {

struct Ext4Spec {
  std::uint64_t size = 0;  // bytes, whole MiB
  std::string label;
  std::string seed;       // of its UUID and directory hash
  bool for_grub = false;  // only features that GRUB and old e2fsprogs read
};

void write_ext4(const Tree& tree, const fs::path& out, const Ext4Spec& spec, const Toolbox& toolbox,
                std::stop_token stop = {});

}  // namespace rosbuild
