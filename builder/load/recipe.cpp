#include "builder/load/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "builder/load/folder.h"
#include "builder/load/yaml.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

constexpr std::int64_t kLargestId = 0xfffffffe;  // 0xffffffff means "none" to the kernel

// Debian Policy 5.6.1.
bool is_package_name(const std::string& name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return name.size() > 1 && plain(name[0]) && std::ranges::all_of(name, [&](char c) {
           return plain(c) || c == '+' || c == '-' || c == '.';
         });
}

std::vector<Text> read_packages(MapReader& reader, const std::string& key) {
  auto packages = reader.texts(key);
  std::map<std::string, ros::Position> seen;
  for (const auto& package : packages) {
    if (!is_package_name(package.value)) {
      reader.problems().add(problem(package.at,
                                    fmt::format("'{}' is not a package name", package.value),
                                    "lower-case letters, digits and + - . only"));
      continue;
    }
    const auto [earlier, fresh] = seen.emplace(package.value, package.at);
    if (!fresh)
      reader.problems().add(
          problem(package.at, fmt::format("package '{}' stands twice; first in line {}",
                                          package.value, earlier->second.line)));
  }
  return packages;
}

std::map<std::string, std::vector<Text>> read_loaders(const Node& node, ros::Problems& problems) {
  MapReader reader(node, "loaders", problems);
  std::map<std::string, std::vector<Text>> loaders;
  for (const char* arch : {"arm64"}) loaders[arch] = read_packages(reader, arch);
  reader.finish();
  return loaders;
}

std::vector<std::string> read_globs(MapReader& reader, const std::string& key) {
  const auto globs = reader.texts(key);
  for (const auto& glob : globs) check_inside(glob, reader.problems());
  return values(globs);
}

std::vector<Located<fs::path>> read_files(MapReader& reader, const std::string& key,
                                          const fs::path& root) {
  std::vector<Located<fs::path>> files;
  for (const auto& file : reader.required_texts(key)) {
    if (!check_inside(file, reader.problems())) continue;
    const auto path = below(root, file.value);
    if (!fs::is_regular_file(path))
      reader.problems().add(problem(file.at, fmt::format("there is no file '{}'", path.string())));
    files.push_back({path, file.at});
  }
  return files;
}

KernelRecipe read_kernel(const Node& node, const fs::path& root, ros::Problems& problems) {
  MapReader reader(node, "kernel", problems);
  KernelRecipe kernel;
  kernel.package = reader.required_text("package");
  kernel.modules = read_files(reader, "modules", root);
  kernel.early = read_files(reader, "early", root);
  kernel.config = read_files(reader, "config", root);
  reader.finish();
  return kernel;
}

std::map<std::string, std::string> read_links(const Node& node, ros::Problems& problems) {
  std::map<std::string, std::string> links;
  MapReader(node, "links", problems);  // only for "expected a map"
  for (const auto& [path, target] : node.members) {
    check_inside(path, problems);
    if (const auto text = read_text(target, problems)) links[path.value] = text->value;
  }
  return links;
}

std::map<std::string, DirectoryRecipe> read_directories(const Node& node, ros::Problems& problems) {
  std::map<std::string, DirectoryRecipe> directories;
  MapReader(node, "directories", problems);
  for (const auto& [path, value] : node.members) {
    check_inside(path, problems);
    MapReader reader(value, "directory", problems);
    DirectoryRecipe directory;
    if (const auto* mode = reader.find("mode"))
      directory.mode = read_mode(*mode, problems).value_or(directory.mode);
    directory.owner = reader.text("owner").value;
    directory.group = reader.text("group").value;
    directory.at = path.at;
    reader.finish();
    directories[path.value] = directory;
  }
  return directories;
}

// Names and ids must be free, as far as this layer alone can tell.
template <class Account, class Id>
void check_unique(const std::vector<Account>& accounts, const char* what, Id Account::*id,
                  ros::Problems& problems) {
  for (auto later = accounts.begin(); later != accounts.end(); ++later) {
    for (auto earlier = accounts.begin(); earlier != later; ++earlier) {
      if (!later->name.empty() && earlier->name == later->name)
        problems.add(problem(later->at, fmt::format("{} '{}' stands twice; first in line {}", what,
                                                    later->name, earlier->at.line)));
      else if ((*earlier).*id == (*later).*id)
        problems.add(problem(later->at, fmt::format("{} '{}' has the id {} of '{}'", what,
                                                    later->name, (*later).*id, earlier->name)));
    }
  }
}

const std::vector<Node>& list_items(const Node& node, ros::Problems& problems) {
  if (node.kind != Node::Kind::list) read_texts(node, problems);  // for its message
  return node.items;
}

std::vector<UserRecipe> read_users(const Node& node, ros::Problems& problems) {
  std::vector<UserRecipe> users;
  for (const auto& item : list_items(node, problems)) {
    MapReader reader(item, "user", problems);
    UserRecipe user;
    const auto name = reader.required_text("name");
    const auto uid = reader.required_integer("uid", 0, kLargestId);
    user.name = name.value;
    user.uid = static_cast<std::uint32_t>(uid.value_or(0));
    user.group = reader.required_text("group").value;
    user.home = reader.required_text("home").value;
    user.shell = reader.required_text("shell").value;
    user.groups = values(reader.texts("groups"));
    user.at = name.at.file.empty() ? item.at : name.at;
    reader.finish();
    if (uid) users.push_back(std::move(user));
  }
  check_unique(users, "user", &UserRecipe::uid, problems);
  return users;
}

std::vector<GroupRecipe> read_groups(const Node& node, ros::Problems& problems) {
  std::vector<GroupRecipe> groups;
  for (const auto& item : list_items(node, problems)) {
    MapReader reader(item, "group", problems);
    const auto name = reader.required_text("name");
    const auto gid = reader.required_integer("gid", 0, kLargestId);
    reader.finish();
    if (gid)
      groups.push_back(
          {name.value, static_cast<std::uint32_t>(*gid), name.at.file.empty() ? item.at : name.at});
  }
  check_unique(groups, "group", &GroupRecipe::gid, problems);
  return groups;
}

std::optional<Located<fs::path>> read_files_folder(MapReader& reader, const fs::path& root) {
  const auto files = reader.text("files");
  if (files.value.empty() || !check_inside(files, reader.problems())) return std::nullopt;
  const auto path = below(root, fs::path("recipes") / files.value);
  if (!fs::is_directory(path))
    reader.problems().add(problem(files.at, fmt::format("there is no folder '{}'", path.string())));
  return Located<fs::path>{path, files.at};
}

std::optional<unsigned> read_block_size(const Node& node, ros::Problems& problems) {
  const auto size = read_bytes(node, problems);
  if (!size) return std::nullopt;
  if (!std::has_single_bit(*size) || *size < 4096 || *size > 1024 * 1024) {
    problems.add(problem(node.at, fmt::format("squashfs has no blocks of {} bytes", *size),
                         "a power of two from 4KiB to 1MiB"));
    return std::nullopt;
  }
  return static_cast<unsigned>(*size);
}

// In the lock and in an image these names mean something else.
void check_free(const Text& name, ros::Problems& problems) {
  for (const char* taken : {"loaders", "platform", "tools"})
    if (name.value == taken)
      problems.add(problem(name.at, fmt::format("no layer can be called '{}'", taken),
                           "rosbuild makes one of that name; rename this file and its name"));
}

LayerRecipe read_layer(const Node& document, const std::string& stem, const fs::path& root,
                       ros::Problems& problems) {
  MapReader reader(document, "layer", problems);
  LayerRecipe layer;
  const auto name = read_name(reader, stem);
  check_free(name, problems);
  layer.name = name.value;
  layer.at = name.at;
  layer.arch = reader.text("arch");
  check_arch(layer.arch, problems);
  layer.packages = read_packages(reader, "packages");
  const auto without = reader.texts("without");
  layer.without = values(without);
  layer.only = values(reader.texts("only"));
  layer.remove = read_globs(reader, "remove");
  layer.keep = read_globs(reader, "keep");
  layer.files = read_files_folder(reader, root);
  if (const auto* links = reader.find("links")) layer.links = read_links(*links, problems);
  if (const auto* directories = reader.find("directories"))
    layer.directories = read_directories(*directories, problems);
  if (const auto* users = reader.find("users")) layer.users = read_users(*users, problems);
  if (const auto* groups = reader.find("groups")) layer.groups = read_groups(*groups, problems);
  if (const auto* kernel = reader.find("kernel"))
    layer.kernel = read_kernel(*kernel, root, problems);
  layer.runtime = reader.boolean("runtime", false);
  if (const auto* size = reader.find("block_size"))
    layer.block_size = read_block_size(*size, problems).value_or(layer.block_size);
  reader.finish();

  if (layer.kernel && !layer.packages.empty())
    problems.add(problem(layer.packages[0].at, "a kernel layer has no packages of its own",
                         "name them in another layer"));
  for (const auto& dropped : without)
    for (const auto& package : layer.packages)
      if (dropped.value == package.value)
        problems.add(problem(dropped.at, fmt::format("package '{}' is asked for in line {}",
                                                     package.value, package.at.line)));
  return layer;
}

void check_version(const Text& version, ros::Problems& problems) {
  // It is a folder on the medium and a tag of an image.
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  if (!version.value.empty() && (!std::ranges::all_of(version.value, plain) ||
                                 version.value[0] == '.' || version.value[0] == '-'))
    problems.add(problem(version.at, fmt::format("'{}' cannot be a version", version.value),
                         "letters, digits, '.', '-' and '_', starting with a letter or digit"));
}

}  // namespace

Distribution load_distribution(const fs::path& root, ros::Problems& problems) {
  Distribution distribution;
  const auto document = load_yaml(below(root, "recipes/distribution.yaml"), problems);
  if (!document) return distribution;
  MapReader reader(*document, "distribution", problems);
  distribution.name = reader.required_text("name").value;
  distribution.title = reader.required_text("title").value;
  const auto version = reader.required_text("version");
  distribution.version = version.value;
  check_version(version, problems);
  // 32 bits are what squashfs, ext4 and cpio time stamps have in common.
  distribution.epoch =
      reader.required_integer("epoch", 1, std::numeric_limits<std::uint32_t>::max()).value_or(0);
  distribution.suites = values(reader.required_texts("suites"));
  distribution.components = values(reader.required_texts("components"));
  reader.require("tools");
  distribution.tools = read_packages(reader, "tools");
  if (const auto* loaders = reader.find("loaders"))
    distribution.loaders = read_loaders(*loaders, problems);
  reader.finish();
  return distribution;
}

std::map<std::string, LayerRecipe> load_layers(const fs::path& root, ros::Problems& problems) {
  std::map<std::string, LayerRecipe> layers;
  for_each_document(below(root, "recipes/layers"), problems,
                    [&](const Node* document, const std::string& stem) {
                      // One that cannot be read still counts as known to platforms.
                      layers.emplace(stem, document ? read_layer(*document, stem, root, problems)
                                                    : LayerRecipe{.name = stem});
                    });
  return layers;
}

}  // namespace rosbuild
