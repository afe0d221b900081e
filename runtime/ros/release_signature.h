// Who made a release: a signature of its index, as `rosbuild publish --sign` makes it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ros {

// `signature`: the text of index.sig. `keys`: lines as in authorized_keys(5), without options.
// Throws Error unless one of them has signed `index`, or when one is no public key.
void check_signature(std::string_view index, std::string_view signature,
                     const std::vector<std::string>& keys);

}  // namespace ros
