// What recipes/layers and platforms have in common: a folder of NAME.yaml
// files, each with its NAME inside as well.
#pragma once

#include <functional>
#include <string>

#include "builder/load/yaml.h"

namespace rosbuild {

// `root`/`relative` as it is shown: "recipes/layers" and not "./recipes/layers".
fs::path below(const fs::path& root, const fs::path& relative);

// Calls `each(document, stem)` for every .yaml file of the folder, by name; the
// document is nullptr for a file that cannot be read, which has been reported. A
// folder that is missing or holds none is a problem, and so is a .yml file,
// which somebody meant to be read.
void for_each_document(const fs::path& folder, ros::Problems& problems,
                       const std::function<void(const Node*, const std::string& stem)>& each);

// The key `name`, which must be the file's stem.
Text read_name(MapReader& reader, const std::string& stem);

// Adds a problem unless `arch` is empty or an architecture that rosbuild builds for.
void check_arch(const Text& arch, ros::Problems& problems);

// Adds a problem unless `path` is relative and stays inside ("usr/bin/x").
bool check_inside(const Text& path, ros::Problems& problems);

}  // namespace rosbuild
