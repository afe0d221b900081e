// Tree -> cpio ("newc"), the format of the kernel's initramfs.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "builder/pack/tar.h"

namespace rosbuild {

void write_cpio(const Tree& tree, const Sink& sink);

// The archive as a zstd file that the kernel can unpack (window of at most 8 MiB).
// `level` 0 leaves it uncompressed.
void write_initrd(const Tree& tree, const fs::path& out, int level, std::stop_token stop = {});

struct NamedFile {
  std::string name;  // in the medium's folder layers/
  fs::path file;
};

// `early` as it is, then an uncompressed archive of `more`: the kernel unpacks one over the other.
void extend_initrd(const fs::path& early, const Tree& more, const fs::path& out,
                   std::stop_token stop = {});

// The same with layers/NAME for each layer: what a machine that boots from the network is given.
void write_netboot_initrd(const fs::path& early, const std::vector<NamedFile>& layers,
                          const fs::path& out, std::stop_token stop = {});

}  // namespace rosbuild
