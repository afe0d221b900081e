// Images that the owner of the box has laid ready: tar archives, also compressed ones, in
// /var/lib/rancher/preload/{docker,system-docker}. Each is loaded once; FILE.done says that it was.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace ros {

inline constexpr const char* kPreloadFolder = "/var/lib/rancher/preload";

// The archives of the folder that were not loaded yet, or have changed since, in order.
std::vector<fs::path> archives_to_load(const fs::path& folder);

// Loads them into the engine behind `socket`. One that fails is named in `problems`.
void load_archives(const fs::path& folder, const std::string& socket,
                   std::vector<std::string>& problems);

}  // namespace ros
