// Where releases come from: a folder, the folder of a medium, a web server's, or an OCI image.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/base/release.h"
#include "runtime/ros/release_image.h"

namespace ros {

class ReleaseSource {
 public:
  // `place`: a path with a slash first or of a folder that is there, an http or https URL, or the
  // name of an image, which is pulled. `proxies`: NAME=VALUE for curl. `keys`: of whom one must
  // have signed the index; none: nobody has to. Throws Error (kind usage) for anything else.
  explicit ReleaseSource(std::string place, std::vector<std::string> proxies = {},
                         std::vector<std::string> keys = {});

  // The `index` of the place; a folder without one is a medium, whose versions have a file
  // `release` each, and no signature. Throws Error when there is neither, or it cannot be read or
  // is not signed as it must be.
  std::vector<Release> releases() const;

  // Makes `to` out of the file, whole and with its digest, or throws Error and `to` is as it was.
  // What an interrupted download left is used again. Read back from the disk before it counts.
  void fetch(const ReleaseFile& file, const fs::path& to) const;

  const std::string& place() const noexcept { return place_; }

 private:
  std::string text_of(const std::string& name) const;
  std::string signature() const;
  int download(const ReleaseFile& file, const fs::path& to) const;
  void fetch_remote(const ReleaseFile& file, const fs::path& to) const;

  std::string place_;
  std::vector<std::string> proxies_;
  std::vector<std::string> keys_;
  bool remote_ = false;
  std::shared_ptr<const ReleaseImage> image_;
};

// Has `path` this size and digest, on the disk and not only in memory?
bool is_intact(const fs::path& path, const ReleaseFile& file);

// The versions on a medium: VERSION/release of each. One that cannot be read throws Error.
std::vector<Release> releases_on(const fs::path& medium);

}  // namespace ros
