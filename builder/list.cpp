// The verbs that only look: list and lint.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "builder/build.h"
#include "builder/check.h"
#include "builder/fetch/lock.h"
#include "builder/load/yaml.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

// "8 GiB": sizes of disks are given in powers of 1024 and read back so.
std::string disk_size(std::uint64_t bytes) {
  constexpr std::uint64_t kGiB = 1024 * 1024 * 1024;
  return bytes % kGiB == 0 ? fmt::format("{} GiB", bytes / kGiB)
                           : fmt::format("{} MiB", bytes / (1024 * 1024));
}

// What every lock must hold, for the architectures that platforms name.
void check_locks(const Recipes& recipes, ros::Problems& problems) {
  std::map<std::string, std::vector<const Platform*>> by_arch;
  for (const auto& [name, platform] : recipes.platforms)
    if (!platform.arch.value.empty()) by_arch[platform.arch.value].push_back(&platform);
  for (const auto& [arch, platforms] : by_arch) {
    const auto path =
        (recipes.root / "recipes/lock" / (arch + ".lock")).lexically_normal().string();
    const auto text = ros::try_read_file(path);
    if (!text) {
      problems.add(problem(platforms[0]->arch.at, fmt::format("there is no lock '{}'", path),
                           fmt::format("run `rosbuild lock --arch {}`", arch)));
      continue;
    }
    try {
      check_locked(recipes, platforms, parse_lock(*text, path), path, problems);
    } catch (const ros::Error& error) {
      problems.add(error);
    }
  }
}

}  // namespace

int list_platforms(const Request& request) {
  const auto recipes = load_all(request.recipes);
  fmt::print("{} {}\n", recipes.distribution.title, recipes.distribution.version);
  for (const auto& [name, platform] : recipes.platforms) {
    fmt::print("\n{}  {}\n", name, platform.description);
    fmt::print("  layers  {}\n", ros::join(values(platform.layers), " "));
    std::size_t width = 0;
    for (const auto& artifact : platform.artifacts) width = std::max(width, artifact.name.size());
    for (const auto& artifact : platform.artifacts) {
      fmt::print("  {:{}}  {}", artifact.name, width, name_of(artifact.format));
      if (artifact.size) fmt::print(", {}", disk_size(artifact.size->value));
      fmt::print("\n");
    }
  }
  return 0;
}

int lint(const Request& request) {
  ros::Problems problems;
  const auto recipes = load_all(request.recipes, problems);
  check_artifacts(recipes, problems);
  check_configuration(recipes, problems);
  check_locks(recipes, problems);
  problems.throw_if_any();
  fmt::print("{} layers and {} platforms: no problems\n", recipes.layers.size(),
             recipes.platforms.size());
  return 0;
}

}  // namespace rosbuild
