#include "builder/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "builder/load/yaml.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/config/schema.h"

namespace rosbuild {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;
// Room for the boot partitions with two versions. What a build really needs is known, and
// checked (write_disk), when its layers are made.
constexpr std::uint64_t kSmallestDisk = 1024 * kMiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;

// The largest disk of a format: what VHD can say, and what every importer of the others takes.
std::uint64_t largest_disk(Format format) {
  const bool vhd =
      format == Format::vhd || format == Format::vhd_fixed || format == Format::vhd_zip;
  return (vhd ? 2040 : 2048) * kGiB;
}

bool has_command_line(Format format) {
  return is_disk(format) || format == Format::iso || format == Format::ipxe;
}

// Heirs of a platform have its faults as well; each is reported where it
// stands, once.
class Once {
 public:
  explicit Once(ros::Problems& problems) : problems_(problems) {}
  void add(const ros::Position& at, const std::string& message, const std::string& hint = {}) {
    const auto error = problem(at, message, hint);
    if (seen_.insert(error.what()).second) problems_.add(error);
  }

 private:
  ros::Problems& problems_;
  std::set<std::string> seen_;
};

void check_size(const ArtifactSpec& artifact, Once& problems) {
  const auto& format = name_of(artifact.format);
  if (!is_disk(artifact.format)) {
    if (artifact.size)
      problems.add(artifact.size->at, fmt::format("format '{}' takes no size", format));
    return;
  }
  if (!artifact.size) {
    problems.add(artifact.at, fmt::format("artifact '{}' has no 'size'", artifact.name),
                 "disk images need one, as size: 8GiB");
    return;
  }
  const auto& [size, at] = *artifact.size;
  if (at.file.empty()) return;  // not readable, which has been reported
  if (size % kMiB != 0)
    problems.add(at, fmt::format("a disk of {} bytes is not whole MiB", size));
  else if (size < kSmallestDisk)
    problems.add(at,
                 fmt::format("a disk of {} MiB is too small, {} MiB are the least", size / kMiB,
                             kSmallestDisk / kMiB),
                 "it holds two versions of the system, and the state");
  else if (size > largest_disk(artifact.format))
    problems.add(
        at, fmt::format("a disk of {} MiB is too large", size / kMiB),
        fmt::format("{}GiB is the most for {}", largest_disk(artifact.format) / kGiB, format));
  else if (artifact.format == Format::gce && size % kGiB != 0)
    problems.add(at, fmt::format("a disk of {} MiB is not whole GiB", size / kMiB),
                 fmt::format("Google's cloud takes no other; {}GiB is next", size / kGiB + 1));
}

// Two names that cannot both be in one folder: "release" and "release/index" (equal ones are
// refused while loading).
void check_names(const Platform& platform, Once& problems) {
  for (const auto& outer : platform.artifacts)
    for (const auto& inner : platform.artifacts)
      if (inner.name.starts_with(outer.name + "/"))
        problems.add(inner.at, fmt::format("artifact '{}' would lie in artifact '{}' of line {}",
                                           inner.name, outer.name, outer.at.line));
}

// What an iPXE script names lies beside it.
void check_netboot(const Platform& platform, Once& problems) {
  for (const auto& script : platform.artifacts)
    for (const Format part : {Format::kernel, Format::initrd})
      if (script.format == Format::ipxe && !script.format_at.file.empty() &&
          !find_artifact(platform, part))
        problems.add(script.at, fmt::format("artifact '{}' starts an artifact of format '{}', and "
                                            "there is none",
                                            script.name, name_of(part)));
}

void check_arch(const LayerRecipe& layer, const Text& listed, const Platform& platform,
                Once& problems) {
  if (layer.arch.value.empty() || platform.arch.value.empty() ||
      layer.arch.value == platform.arch.value)
    return;
  problems.add(listed.at, fmt::format("layer '{}' is for {}, this platform is {}", layer.name,
                                      layer.arch.value, platform.arch.value));
}

void check_layers(const Recipes& recipes, const Platform& platform, Once& problems) {
  std::vector<std::string> kernels;
  std::set<std::string> packages;
  bool runtime = false;
  for (const auto& name : platform.layers) {
    const auto layer = recipes.layers.find(name.value);
    if (layer == recipes.layers.end()) return;  // reported while loading
    check_arch(layer->second, name, platform, problems);
    if (layer->second.kernel) {
      kernels.push_back(name.value);
      packages.insert(layer->second.kernel->package.value);
    }
    runtime = runtime || layer->second.runtime;
  }
  if (platform.layers.empty()) {
    problems.add(platform.at, fmt::format("platform '{}' has no layers", platform.name));
    return;
  }
  if (kernels.empty())
    problems.add(platform.at, fmt::format("no layer of platform '{}' has a kernel", platform.name),
                 "add one whose recipe has the key 'kernel'");
  // Modules more of the same one may lie over it.
  if (packages.size() > 1)
    problems.add(platform.at, fmt::format("platform '{}' has more than one kernel: {}",
                                          platform.name, ros::join(kernels, ", ")));
  if (!runtime)
    problems.add(platform.at,
                 fmt::format("no layer of platform '{}' has the runtime", platform.name),
                 "add one whose recipe says runtime: true");
}

std::vector<WantedPackage> wanted(const std::vector<Text>& names) {
  std::vector<WantedPackage> found;
  for (const auto& name : names) found.push_back({name.value, name.at});
  return found;
}

}  // namespace

std::vector<LockSection> lock_sections(const Recipes& recipes, const std::string& arch) {
  std::vector<LockSection> sections;
  for (const auto& [name, platform] : recipes.platforms) {
    if (platform.arch.value != arch) continue;
    std::vector<std::string> below;
    for (const auto& layer_name : platform.layers) {
      const auto found = recipes.layers.find(layer_name.value);
      if (found == recipes.layers.end()) continue;  // reported where it stands
      const LayerRecipe& layer = found->second;
      std::vector<WantedPackage> packages = wanted(layer.packages);
      LockSection section{.name = layer.name, .without = layer.without, .only = layer.only};
      if (layer.kernel)
        packages.push_back({layer.kernel->package.value, layer.kernel->package.at});
      else
        section.below = below;
      if (packages.empty()) continue;
      section.packages = std::move(packages);
      if (!layer.kernel) below.push_back(layer.name);
      const auto known = std::ranges::find(sections, layer.name, &LockSection::name);
      if (known == sections.end())
        sections.push_back(std::move(section));
      else  // of what is not below it everywhere it needs its own
        std::erase_if(known->below, [&](const std::string& lower) {
          return std::ranges::find(section.below, lower) == section.below.end();
        });
    }
  }
  if (arch == kToolsArch) {
    sections.push_back({.name = "tools", .packages = wanted(recipes.distribution.tools)});
  } else if (const auto loaders = recipes.distribution.loaders.find(arch);
             loaders != recipes.distribution.loaders.end()) {
    // Of what they depend on, nothing is run or booted.
    sections.push_back(
        {.name = "loaders", .packages = wanted(loaders->second), .only = values(loaders->second)});
  }
  for (auto& section : sections) {
    section.suites = recipes.distribution.suites;
    section.components = recipes.distribution.components;
  }
  return sections;
}

void check_artifacts(const Recipes& recipes, ros::Problems& problems) {
  Once once(problems);
  for (const auto& [name, platform] : recipes.platforms) {
    check_layers(recipes, platform, once);
    if (platform.artifacts.empty())
      once.add(platform.at, fmt::format("platform '{}' has no artifacts", name));
    check_names(platform, once);
    check_netboot(platform, once);
    for (const auto& artifact : platform.artifacts) {
      if (artifact.format_at.file.empty()) continue;  // no format to judge by; reported
      if (const char* arch = only_arch(artifact.format);
          arch != nullptr && !platform.arch.value.empty() && platform.arch.value != arch)
        once.add(artifact.format_at,
                 fmt::format("format '{}' is for {}, this platform is {}", name_of(artifact.format),
                             arch, platform.arch.value),
                 "no firmware of the platform's machines boots it");
      check_size(artifact, once);
      if (!has_command_line(artifact.format) && !artifact.cmdline.empty())
        once.add(artifact.cmdline[0].at,
                 fmt::format("format '{}' holds no kernel command line", name_of(artifact.format)),
                 "it is for those with a boot loader: iso, ipxe and disk images");
    }
  }
}

void check_configuration(const Recipes& recipes, ros::Problems& problems) {
  std::set<fs::path> files;
  for (const auto& [name, layer] : recipes.layers) {
    if (layer.runtime) files.insert(recipes.os_config());
    const fs::path more = layer.files ? layer.files->value / ros::kOsConfigFolder : fs::path{};
    if (layer.files && fs::is_directory(more))
      for (const auto& entry : fs::directory_iterator(more)) files.insert(entry.path());
  }
  for (const fs::path& file : files) try {
      ros::parse_config(ros::read_file(file), file.string());
    } catch (const ros::Error& error) {
      problems.add(error);
    }
}

void check_locked(const Recipes& recipes, const std::vector<const Platform*>& platforms,
                  const Lock& lock, const std::string& lock_file, ros::Problems& problems) {
  const std::set<std::string> locked = lock.names();
  const std::vector<std::string> known(locked.begin(), locked.end());
  Once once(problems);
  const auto check_in = [&](const std::set<std::string>& names, const Text& package) {
    if (package.value.empty() || names.contains(package.value)) return;
    std::string hint = "`rosbuild lock` adds it";
    if (locked.contains(package.value)) {
      once.add(
          package.at,
          fmt::format("package '{}' is in {}, but not for this layer", package.value, lock_file),
          hint);
      return;
    }
    hint += ", if it exists";
    if (const auto near = ros::nearest(package.value, known))
      hint = fmt::format("did you mean '{}'? Otherwise {}", *near, hint);
    once.add(package.at, fmt::format("package '{}' is not in {}", package.value, lock_file), hint);
  };
  for (const auto* platform : platforms) {
    std::set<std::string> below;
    for (const auto& name : platform->layers) {
      const auto layer = recipes.layers.find(name.value);
      if (layer == recipes.layers.end()) continue;
      below.merge(lock.names(name.value));
      for (const auto& package : layer->second.packages) check_in(below, package);
      if (layer->second.kernel) check_in(below, layer->second.kernel->package);
    }
  }
  const auto check = [&](const Text& package) { check_in(locked, package); };
  const std::string arch = platforms.empty() ? kToolsArch : platforms[0]->arch.value;
  if (arch == kToolsArch) std::ranges::for_each(recipes.distribution.tools, check);
  if (const auto loaders = recipes.distribution.loaders.find(arch);
      loaders != recipes.distribution.loaders.end())
    std::ranges::for_each(loaders->second, check);
  if (!problems.empty()) return;  // what is missing says it better

  std::set<std::string> used{"tools", "loaders"};
  for (const auto* platform : platforms)
    for (const auto& name : platform->layers) used.insert(name.value);
  for (const auto& section : lock_sections(recipes, arch)) {
    if (!used.contains(section.name) || fits(lock, section)) continue;
    const auto layer = recipes.layers.find(section.name);
    problems.add(
        problem(layer == recipes.layers.end() ? section.packages[0].position : layer->second.at,
                fmt::format("{} was made for other suites, components, packages, `without`, "
                            "`only` or layers below than '{}' has now",
                            lock_file, section.name),
                "run `rosbuild lock`"));
  }
}

void check_only(const std::vector<const Platform*>& platforms, const std::vector<std::string>& only,
                ros::Problems& problems) {
  std::set<std::string> names;
  for (const auto* platform : platforms)
    for (const auto& artifact : platform->artifacts) names.insert(artifact.name);
  const std::vector<std::string> known(names.begin(), names.end());
  for (const auto& name : only)
    if (!names.contains(name))
      problems.add(
          problem({}, fmt::format("unknown artifact '{}'", name), suggestion(name, known)));
}

}  // namespace rosbuild
