// Tree -> tar. Our own small writer, so that order, owners, times and header
// bytes depend on the tree alone: entries by path, numeric owners, pax headers
// only where a path, link or size does not fit the ustar fields.
#pragma once

#include <functional>
#include <stop_token>
#include <string_view>
#include <vector>

#include "builder/os/tree.h"

namespace rosbuild {

using Sink = std::function<void(std::string_view)>;

void write_tar(const Tree& tree, const Sink& sink);
void write_tar(const Tree& tree, int fd);

// A tar in pieces, each deflated once for all tars that it is in: members of a gzip file may follow
// one another (RFC 1952, section 2.2), and what a later piece has again replaces what an earlier
// one has. Deflates on `threads` threads; the bytes depend on tree and level only.
void write_tar_piece(const Tree& tree, const fs::path& out, int level, unsigned threads,
                     std::stop_token stop = {});
// The tar.gz of such pieces.
void join_tar_pieces(const std::vector<fs::path>& pieces, const fs::path& out);

}  // namespace rosbuild
