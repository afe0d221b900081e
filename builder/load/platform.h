// What platforms/ says: for which machine, which layers, which artifacts.
//
// A platform may extend another. Plain keys replace what is inherited,
// `+layers`, `+cmdline`, `+datasources` (and `+cmdline` of an artifact) append,
// and `+artifacts` merge by name. A Platform here is the merged result.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "builder/load/located.h"
#include "builder/load/recipe.h"

namespace rosbuild {

// What an artifact is: a part to netboot, a medium, or an image of a disk.
enum class Format {
  kernel,
  initrd,
  rootfs,
  ipxe,     // the script that netboots kernel and initrd, which lie beside it
  sbom,     // its packages, as SPDX
  release,  // a folder: what `ros install` and `ros os upgrade` take
  iso,
  raw,
  qcow2,
  vmdk,       // streamOptimized
  ova,        // of the vmdk
  vhd,        // dynamic
  vhd_fixed,  // "vhd-fixed"
  vhd_zip,    // "vhd-zip": a fixed VHD in a zip archive
  vhdx,
  vhdx_zip,  // "vhdx-zip": in a zip archive
  gce,       // a tarball of disk.raw
  zip,       // of the raw disk
  pi         // zip of a Raspberry Pi's card
};

bool is_disk(Format format);  // of one with partitions, which has a `size`
// The architecture whose firmware alone boots this format; nullptr: all of them boot it.
const char* only_arch(Format format);

// Every format with the name it has in platforms/*.yaml.
const std::vector<std::pair<Format, std::string>>& formats();
const std::string& name_of(Format format);

struct ArtifactSpec {
  std::string name;  // file name below the platform's output folder
  ros::Position at;  // of its name
  Format format = Format::kernel;
  ros::Position format_at;
  std::optional<Located<std::uint64_t>> size;  // bytes, of disk images
  std::vector<Text> cmdline;                   // added to the platform's
};

struct Platform {
  std::string name;
  ros::Position at;
  std::string description;
  Text arch;                 // "amd64"
  std::vector<Text> layers;  // names, bottom to top; all known
  std::vector<Text> cmdline;
  std::vector<std::string> datasources;  // "configdrive", "nocloud"
  std::vector<ArtifactSpec> artifacts;   // in file order, inherited ones first
};

// The first artifact of this format; nullptr when there is none.
const ArtifactSpec* find_artifact(const Platform& platform, Format format);
// The kernel command line of an artifact: the platform's words, then its own.
std::string command_line(const Platform& platform, const ArtifactSpec& artifact);

// Everything below a root folder (the one that holds recipes/, platforms/ and
// kernel-configs/).
struct Recipes {
  fs::path root;
  Distribution distribution;
  std::map<std::string, LayerRecipe> layers;
  std::map<std::string, Platform> platforms;

  // The configuration that boxes start from.
  fs::path os_config() const { return (root / "recipes/os-config.yml").lexically_normal(); }
};

// Adds every problem of every file to `problems`. With problems the result is
// good for further checks only.
Recipes load_all(const fs::path& root, ros::Problems& problems);
// The same, but throws one ros::Error with all problems.
Recipes load_all(const fs::path& root);

// The platforms that these names mean, in order and once each; "all" means all, or
// those of `arch` when that is given. Throws ros::Error for every unknown name, with a
// suggestion.
std::vector<const Platform*> select_platforms(const Recipes& recipes,
                                              const std::vector<std::string>& names,
                                              const std::string& arch = {});

}  // namespace rosbuild
