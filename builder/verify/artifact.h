// What an artifact is, told by its bytes, and whether it obeys the rules of those
// who import it. Reads with code of its own, none of the writers'.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

struct Verdict {
  std::string what;                 // "fixed VHD of 4096 MiB"
  std::vector<std::string> faults;  // empty: it is as it should be
};

// Throws ros::Error when the file cannot be read.
Verdict verify_artifact(const fs::path& path);

}  // namespace rosbuild
