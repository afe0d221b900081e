// The early initrd: init and the modules needed to reach any supported root, the same
// for all platforms. Archives behind it hold a platform's manifest and, for the
// network, its layers, which otherwise are on the medium.
#pragma once

#include <cstdint>
#include <string>

#include "builder/assemble/kernel.h"
#include "builder/os/tree.h"

namespace rosbuild {

struct InitrdSpec {
  Content init;     // static program, becomes /init
  Content busybox;  // static program, becomes /bin/busybox; /bin/sh is a link
  Tree modules;     // select_modules(…)
  std::int64_t epoch = 0;
};

Tree early_initrd(const InitrdSpec& spec);

// bin/busybox of the unpacked busybox-static. Throws ros::Error when it has none.
Content find_busybox(const Tree& packages);

}  // namespace rosbuild
