// Publishes a release: a folder that `ros os upgrade` and `ros install` read, directly or
// through a web server. Its files keep the paths that the release gives them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "builder/publish/release.h"
#include "runtime/base/release.h"

namespace rosbuild {

// Puts the files below folder/name, each of them out of `sources` (by its path in the
// release), then folder/name/index. Other versions of the index stay while all their files are
// there, and ours comes last, as the newest. What no version names any more is removed from
// layers/ and loader/. Returns every file, the index last.
std::vector<Published> publish_release(const ros::Release& release,
                                       const std::map<std::string, fs::path>& sources,
                                       const fs::path& folder, const std::string& name,
                                       const fs::path& records);

}  // namespace rosbuild
