// Refuse early: everything that reading alone cannot see, before any work is
// done, each problem with its position and all of them at once.
#pragma once

#include <string>

#include "builder/fetch/apt.h"
#include "builder/fetch/lock.h"
#include "builder/load/platform.h"

namespace rosbuild {

// What the lock of an architecture is to hold: a section for each layer that has packages, in the
// order in which platforms stack them, then the tools or what takes their place.
std::vector<LockSection> lock_sections(const Recipes& recipes, const std::string& arch);

// Artifacts that cannot be made: a size that is missing, too small, not whole
// MiB or given where there is none; layers without a kernel or runtime below an
// artifact that boots; a platform without artifacts.
void check_artifacts(const Recipes& recipes, ros::Problems& problems);

// The configuration that boxes start from, recipes/os-config.yml and what layers add to it: not
// there, unknown keys, wrong types.
void check_configuration(const Recipes& recipes, ros::Problems& problems);

// Packages that the layers of these platforms (all of one architecture) and the
// distribution's tools name, but the lock does not hold: for a layer, in its section or that of
// one below it. Else sections that were locked for something else than is asked for now.
// `lock_file` is its name to show.
void check_locked(const Recipes& recipes, const std::vector<const Platform*>& platforms,
                  const Lock& lock, const std::string& lock_file, ros::Problems& problems);

// Artifact names of --only that no chosen platform has.
void check_only(const std::vector<const Platform*>& platforms, const std::vector<std::string>& only,
                ros::Problems& problems);

}  // namespace rosbuild
