// System Docker's image without loading one: the few files of Docker's overlay2
// graph that say "this image exists and is unpacked", with each layer's `diff` a
// symbolic link to the mounted squashfs. Layout: Docker 26.1, daemon/graphdriver/
// overlay2 and layer/filestore.go.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace ros {

struct PreloadedLayer {
  std::string name;    // "base"
  std::string digest;  // SHA-256 of the squashfs: stands in for the diff ID
  fs::path folder;     // where it is mounted
};

// Writes the image `repository`:`tag` (and :latest) made of `layers`, bottom to
// top, into `data_root`. Files of an earlier version are removed; images that
// somebody pulled stay. To be called while no Docker uses the folder.
// Returns the image ID ("sha256:…"). Throws Error.
std::string write_preloaded_image(const fs::path& data_root, const std::string& repository,
                                  const std::string& tag,
                                  const std::vector<PreloadedLayer>& layers);

}  // namespace ros
