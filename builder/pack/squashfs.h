// Tree -> squashfs, through the locked mksquashfs, which is fed a tar
// archive. The bytes do not depend on the number of processors.
#pragma once

#include <stop_token>
#include <string>

#include "builder/os/toolbox.h"
#include "builder/os/tree.h"

namespace rosbuild {

struct SquashfsOptions {
  std::string compressor = "zstd";    // or "gzip", which GRUB reads
  int level = 19;                     // of zstd 1 to 22, of gzip 1 to 9
  unsigned block_size = 1024 * 1024;  // a power of two up to 1 MiB
  unsigned processors = 1;            // changes nothing but the time it takes
};

void write_squashfs(const Tree& tree, const fs::path& out, const Toolbox& toolbox,
                    const SquashfsOptions& options, std::stop_token stop = {});

}  // namespace rosbuild
