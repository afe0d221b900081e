// ~/.ssh/authorized_keys of an account.
//
// The keys of the configuration lie in a block of their own, between two comments,
// and only there: a key that the configuration no longer has goes, a key that
// somebody added by hand stays.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/config/load.h"
#include "runtime/ros/datasource.h"

namespace ros {

// `text` with `keys` as its block, each once. A line of the rest that is in `keys`
// too is dropped there, so that it goes with the configuration later.
std::string with_configured_keys(std::string_view text, const std::vector<std::string>& keys);

// The same for the file of the account whose folder is `home` (made when missing).
// Throws Error when ~/.ssh or the file is a link: it may lead anywhere.
void write_ssh_keys(const fs::path& home, unsigned uid, unsigned gid,
                    const std::vector<std::string>& keys);

// Those of the accounts rancher and docker: the keys of the configuration, then
// those of the metadata, in their order.
std::vector<std::string> common_ssh_keys(const Config& config, const Metadata& metadata);

}  // namespace ros
