// Puts finished artifacts where the user wants them.
//
// A name appears in the output folder only when its bytes are complete
// (temporary file beside it, rename). An artifact that is already there,
// untouched since we put it, is left alone without reading it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

struct Published {
  std::string name;  // "rancheros.iso"
  fs::path path;     // where it is now
  std::uint64_t size = 0;
  std::string sha256;
};

// Copies `file` (whose digest is `sha256`) to folder/name; sparse regions stay
// sparse. Nobody else may be at it: what was left of an earlier copy is removed. `records` is a
// folder of ours in which the state of outputs is kept.
Published publish(const fs::path& file, const std::string& sha256, const fs::path& folder,
                  const std::string& name, const fs::path& records);

inline constexpr const char* kChecksums = "checksums.txt";  // as of sha256sum(1), sorted by name

// folder/checksums.txt: the digest of each name. None when there is no such file.
std::map<std::string, std::string> read_checksums(const fs::path& folder);

inline constexpr const char* kVersion = "version.txt";  // of the artifacts in the list

// Both of them. Lines of artifacts of the same version that are still in the folder, but not in
// `artifacts`, are kept, and those of release/, where versions gather.
void write_checksums(const fs::path& folder, const std::string& version,
                     const std::vector<Published>& artifacts);

// Writes a list, unless it is there already, and removes its signature (FILE.sig), which was of
// another text.
void write_list(const fs::path& path, const std::string& text);

}  // namespace rosbuild
