// What an image is made of, for those who look for vulnerable packages: a software bill of
// materials in the JSON of SPDX 2.3 (spdx.github.io/spdx-spec/v2.3).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/fetch/lock.h"

namespace rosbuild {

struct SbomSubject {
  std::string name;        // "rancheros-amd64"
  std::string version;     // "2.0.0"
  std::string suite;       // of the packages: "trixie"
  std::int64_t epoch = 0;  // seconds; when it says that it was made
};

// The same bytes for the same subject and packages, whatever their order; one that is there twice
// is named once. Identifiers derive from the packages' digests.
std::string to_spdx(const SbomSubject& subject, std::vector<LockedPackage> packages);

}  // namespace rosbuild
