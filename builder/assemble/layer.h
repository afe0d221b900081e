// Layers: packages, filters, files and accounts of one recipe become one tree.
//
// No maintainer script ever runs. What they would do is done here by native,
// deterministic steps: merged /usr, accounts, ld.so.cache, the CA bundle, the
// record of installed packages. A layer above another overrides such a shared
// file with a merged one, so what is on top is always whole.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "builder/assemble/accounts.h"
#include "builder/os/tree.h"

namespace rosbuild {

struct LayerDirectory {
  unsigned mode = 0755;
  std::string owner;  // user name; empty: root
  std::string group;  // empty: the owner's primary group
  ros::Position at = {};
};

struct LayerSpec {
  std::string name;
  std::string arch;  // "amd64"
  std::int64_t epoch = 0;
  std::vector<fs::path> packages;            // unpacked packages (unpack.h), in any order
  std::vector<std::string> remove;           // globs; usr/share/doc/*/copyright always stays
  std::vector<std::string> keep;             // exceptions to `remove`
  Tree files;                                // laid over the packages
  std::map<std::string, std::string> links;  // path -> target
  std::map<std::string, LayerDirectory> directories;
  std::vector<User> users;
  std::vector<Group> groups;
  std::vector<const Tree*> below;  // trees of the layers below, bottom first
};

// Throws ros::Error when two packages ship different files under one path, or
// an account is in conflict.
Tree make_layer(const LayerSpec& spec);

}  // namespace rosbuild
