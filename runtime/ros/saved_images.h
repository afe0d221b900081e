// Images that a box which is about to be installed finds on its disk at the first boot.
#pragma once

#include <map>
#include <set>
#include <string>

#include "runtime/base/file.h"
#include "runtime/config/load.h"

namespace ros {

// Names of images by the folder of kPreloadFolder (preload.h) that their engine loads.
using SavedImages = std::map<std::string, std::set<std::string>>;

// What the services of `config`, its console and its engine run out of, but for the system's own
// image. An image that is not here is pulled or built, a definition that is not here fetched.
// Throws Error with everything that cannot be had.
SavedImages gather_images(Config config);

// Writes an archive for each engine, and the definitions that were fetched, below `state`: the root
// of the installed box's state. Throws Error.
void save_images(const SavedImages& images, const fs::path& state);

}  // namespace ros
