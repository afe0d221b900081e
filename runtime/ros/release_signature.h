// Who made a release: a signature of its index, as `rosbuild publish --sign` makes it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

// `signature`: the text of index.sig. `keys`: lines as in authorized_keys(5), without options.
// Throws Error unless one of them has signed `index`, or when one is no public key.
void check_signature(std::string_view index, std::string_view signature,
                     const std::vector<std::string>& keys);

// rancher.upgrade.keys. Throws Error (kind input) when a mistake in the configuration may have cost
// some: no key would mean that nobody has to sign.
std::vector<std::string> signers_of(const Config& config);

}  // namespace ros
