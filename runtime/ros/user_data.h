// What a user handed to a machine, taken apart: cloud-config, scripts, messages
// of several parts (MIME), lists of URLs (#include), each of them gzipped or not.
//
// Nothing here throws because of what a user wrote. A part that is wrong is left
// out, and a problem names it; the others count.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ros {

// A bomb of zeros must not fill the memory: user-data may unfold to this size.
inline constexpr std::size_t kMaxUnpacked = 4u << 20;

struct UserDataParts {
  // One cloud-config: the text as it was given, or several merged in their
  // order (maps deep, lists and scalars of a later one replace). "" is none.
  std::string config;
  std::vector<std::string> scripts;  // with their #! line, in order
};

// Gets a document, throws Error.
using FetchUrl = std::function<std::string(const std::string& url)>;

// `source` names the whole in problems ("NoCloud on /dev/sr0"). Without `fetch`
// what lies behind an #include is left out silently: see needs_network.
UserDataParts split_user_data(std::string_view text, const std::string& source,
                              const FetchUrl& fetch, std::vector<std::string>& problems);

// Does it, or a part of it, include something by URL?
bool needs_network(std::string_view text);

}  // namespace ros
