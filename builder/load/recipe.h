// What recipes/ says: the distribution and its layers.
//
// recipes/distribution.yaml documents the keys of both. Every value that a
// later check may complain about carries its position.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "builder/load/located.h"
#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

struct Distribution {
  std::string name;                     // "rancheros"
  std::string title;                    // "RancherOS"
  std::string version;                  // "2.0.0"
  std::int64_t epoch = 0;               // seconds; no time stamp is later
  std::vector<std::string> suites;      // "trixie", "trixie-security"
  std::vector<std::string> components;  // "main"
  std::vector<Text> tools;              // packages of the lock's section "tools"
  // By architecture: packages of the lock's section "loaders".
  std::map<std::string, std::vector<Text>> loaders;
};

// Of the tools, whatever architecture they build for. What this one boots with is among them.
inline constexpr const char* kToolsArch = "amd64";

struct UserRecipe {
  std::string name;
  std::uint32_t uid = 0;
  std::string group;
  std::string home;
  std::string shell;
  std::vector<std::string> groups;
  ros::Position at;
};

struct GroupRecipe {
  std::string name;
  std::uint32_t gid = 0;
  ros::Position at;
};

struct DirectoryRecipe {
  unsigned mode = 0755;
  std::string owner;  // user name; empty: root
  std::string group;  // empty: the owner's primary group
  ros::Position at;
};

struct KernelRecipe {
  Text package;                            // "linux-image-amd64"
  std::vector<Located<fs::path>> modules;  // lists of modules on the running system
  std::vector<Located<fs::path>> early;    // those that the early initrd needs
  std::vector<Located<fs::path>> config;   // fragments that the kernel's config must satisfy
};

struct LayerRecipe {
  std::string name;
  ros::Position at;  // of the name
  Text arch;         // "amd64"; empty: fits every platform
  std::vector<Text> packages;
  std::vector<std::string> without;          // globs over package names, dropped from the closure
  std::vector<std::string> only;             // globs over package names; nothing else is kept
  std::vector<std::string> remove;           // globs over paths
  std::vector<std::string> keep;             // exceptions to `remove`
  std::optional<Located<fs::path>> files;    // a folder that exists
  std::map<std::string, std::string> links;  // path -> target
  std::map<std::string, DirectoryRecipe> directories;
  std::vector<UserRecipe> users;
  std::vector<GroupRecipe> groups;
  std::optional<KernelRecipe> kernel;
  bool runtime = false;  // gets ros and os-config.yml
  // Of its squashfs: a power of two from 4 KiB to 1 MiB. Larger ones pack better, and a mount
  // keeps some (three, and two for each processor) in the box's memory.
  unsigned block_size = 1024 * 1024;
};

// Both add what is wrong to `problems` and return what could be read. `root` is
// the folder that holds recipes/ and kernel-configs/; the paths in the results
// start with it.
Distribution load_distribution(const fs::path& root, ros::Problems& problems);
std::map<std::string, LayerRecipe> load_layers(const fs::path& root, ros::Problems& problems);

}  // namespace rosbuild
