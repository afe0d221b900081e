// An OCI image that holds a folder of releases: `index` and what it names, at the image's root.
#pragma once

#include <string>

#include "runtime/base/file.h"

namespace ros {

// Files come out of a container that is made of the image and never started, by `docker cp`.
class ReleaseImage {
 public:
  // Pulls the image into system Docker, with the credentials and mirrors that it has. Throws Error.
  explicit ReleaseImage(std::string reference);
  ~ReleaseImage();  // removes the container, and the image unless it was there before
  ReleaseImage(const ReleaseImage&) = delete;
  ReleaseImage& operator=(const ReleaseImage&) = delete;

  // Writes the file at `path` of the image to `to`. Throws Error.
  void copy(const std::string& path, const fs::path& to) const;

 private:
  std::string reference_;
  std::string container_;
  bool was_here_ = false;
};

}  // namespace ros
