// Tree -> tar. Our own small writer, so that order, owners, times and header
// bytes depend on the tree alone: entries by path, numeric owners, pax headers
// only where a path, link or size does not fit the ustar fields.
#pragma once

#include <functional>
#include <stop_token>
#include <string_view>

#include "builder/os/tree.h"

namespace rosbuild {

using Sink = std::function<void(std::string_view)>;

void write_tar(const Tree& tree, const Sink& sink);
void write_tar(const Tree& tree, int fd);

// Deflates in blocks on `threads` threads; the bytes depend on tree and level only.
void write_tar_gz(const Tree& tree, const fs::path& out, int level, unsigned threads,
                  std::stop_token stop = {});

}  // namespace rosbuild
