// The lock: exactly which package files a build is made of.
//
// A text file, one package a line, in sections named after the layer that the
// packages go into ("tools" for the programs that the builder runs):
//
//   [base 0123456789abcdef]
//   bash 5.2.37-2 amd64 debian pool/main/b/bash/bash_5.2.37-2_amd64.deb 1516952 <64 hex>
//
// The digest behind a section's name is of what was asked for (LockSection::digest), so that a
// recipe that asks for something else is found out.
//
// It holds no host name: the archive's name and the path in its pool are
// enough, and the mirror is chosen where the build runs.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rosbuild {

struct LockedPackage {
  std::string name;
  std::string version;
  std::string arch;     // "amd64", "all"
  std::string archive;  // "debian" or "debian-security"
  std::string path;     // below the archive's URL: "pool/main/…/x.deb"
  std::uint64_t size = 0;
  std::string sha256;
  auto operator<=>(const LockedPackage&) const = default;
};

struct Lock {
  std::map<std::string, std::vector<LockedPackage>> sections;  // packages sorted by name
  std::map<std::string, std::string> asked;                    // digest, by section

  std::set<std::string> names() const;  // of all packages
  std::set<std::string> names(const std::string& section) const;
  bool operator==(const Lock&) const = default;
};

// Throws ros::Error with file:line for every line that is wrong, all at once.
// `file` is the name to show.
Lock parse_lock(std::string_view text, const std::string& file);
// Sorted, so that two runs that resolve to the same packages write the same bytes.
std::string write_lock(const Lock& lock, const std::string& arch);

}  // namespace rosbuild
