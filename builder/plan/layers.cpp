#include "builder/plan/layers.h"

#include <fmt/format.h>

#include "builder/assemble/kernel.h"
#include "builder/assemble/layer.h"
#include "builder/assemble/unpack.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/config/schema.h"

namespace rosbuild {
namespace {

// Digest of everything about a tree, content included.
std::string fingerprint(const Tree& tree) {
  ros::Sha256 hash;
  for (const auto& [path, entry] : tree.entries()) {
    hash.update(fmt::format("{}\n{} {:o} {} {} {} {}\n{}\n{}\n", path, static_cast<int>(entry.type),
                            entry.mode, entry.uid, entry.gid, entry.major, entry.minor,
                            entry.target, entry.content.size()));
    entry.content.stream([&](std::string_view piece) { hash.update(piece); });
  }
  return hash.finish();
}

Tree in_memory(const Tree& files) {
  Tree read;
  for (auto [path, entry] : files.entries()) {
    entry.content = entry.content.read();
    read.put(path, std::move(entry));
  }
  return read;
}

// A recipe's text is what it means: comments cost a rebuild, and nothing is forgotten.
std::string recipe_text(const LayerRecipe& recipe) { return ros::read_file(recipe.at.file); }

std::vector<ModuleList> read_lists(const std::vector<fs::path>& files) {
  std::vector<ModuleList> lists;
  for (const auto& file : files) lists.push_back({ros::read_file(file), file.string()});
  return lists;
}

std::vector<fs::path> paths(const std::vector<Located<fs::path>>& located) {
  std::vector<fs::path> found;
  for (const auto& path : located) found.push_back(path.value);
  return found;
}

LayerSpec spec_of(const LayerRecipe& recipe, const Distribution& distribution,
                  const std::string& arch) {
  LayerSpec spec{.name = recipe.name,
                 .arch = arch,
                 .epoch = distribution.epoch,
                 .remove = recipe.remove,
                 .keep = recipe.keep,
                 .links = recipe.links};
  for (const auto& [path, directory] : recipe.directories)
    spec.directories[path] = {directory.mode, directory.owner, directory.group, directory.at};
  for (const auto& user : recipe.users)
    spec.users.push_back(
        {user.name, user.uid, user.group, user.home, user.shell, user.groups, user.at});
  for (const auto& group : recipe.groups) spec.groups.push_back({group.name, group.gid, group.at});
  return spec;
}

// Defaults of the platform; everything here can be overridden. Its name is in the initrd's
// manifest: platforms with the same defaults share a layer.
std::string platform_config(const Platform& platform) {
  ros::Value tree = ros::Value::map();
  tree.set_path("rancher.cloud_init.datasources", ros::Value::texts(platform.datasources));
  return ros::to_json(tree);
}

// As JSON, which boxes read many times faster.
std::string os_config(const fs::path& file) {
  return ros::to_json(ros::parse_config(ros::read_file(file), file.string()));
}

std::string os_release(const Distribution& distribution) {
  return fmt::format(
      "NAME=\"{0}\"\nID={1}\nID_LIKE=debian\nVERSION=\"{2}\"\nVERSION_ID={2}\n"
      "PRETTY_NAME=\"{0} {2}\"\n",
      distribution.title, distribution.name, distribution.version);
}

}  // namespace

LayerPlanner::LayerPlanner(const Recipes& recipes, Cache& cache, Materials& materials, Graph& graph,
                           Programs programs, SquashfsOptions squashfs)
    : recipes_(recipes),
      cache_(cache),
      materials_(materials),
      graph_(graph),
      programs_(std::move(programs)),
      squashfs_(squashfs) {}

std::vector<const LayerPlan*> LayerPlanner::layers_of(const Platform& platform) {
  std::vector<const LayerPlan*> planned;
  for (const auto& name : platform.layers)
    planned.push_back(&plan(recipes_.layers.at(name.value), platform, planned));
  planned.push_back(&plan_platform(platform));
  return planned;
}

const KernelPlan& LayerPlanner::kernel_of(const Platform& platform) {
  for (const auto& name : platform.layers)
    if (const LayerRecipe& recipe = recipes_.layers.at(name.value); recipe.kernel)
      return plan_kernel(recipe, platform.arch.value);
  throw ros::Error{"platform " + platform.name + " has no layer with a kernel",
                   ros::Error::Kind::input}
      .at(platform.at);
}

Tree LayerPlanner::own_files(const LayerRecipe& recipe) const {
  const Distribution& distribution = recipes_.distribution;
  Tree files;
  // What the key is made of is what is packed, whatever happens to the files meanwhile.
  if (recipe.files) files = in_memory(read_tree(recipe.files->value, distribution.epoch));
  if (!recipe.runtime) return files;
  files.put_file("usr/bin/ros", ros::read_file(programs_.ros), 0755);
  files.put_file(ros::kOsConfig, os_config(recipes_.os_config()));
  files.put_file("usr/lib/os-release", os_release(distribution));
  return files;
}

const KernelPlan& LayerPlanner::plan_kernel(const LayerRecipe& recipe, const std::string& arch) {
  auto& slot = kernels_[recipe.name];
  if (slot) return *slot;
  slot = std::make_unique<KernelPlan>();
  KernelPlan& kernel = *slot;
  kernel.section = recipe.name;
  kernel.early_lists = paths(recipe.kernel->early);
  kernel.packages = std::make_shared<Lazy<Tree>>(
      [this, section = recipe.name] { return materials_.merged(section); });
  kernel.modules = plan_modules(arch + " kernel modules", kernel, paths(recipe.kernel->modules),
                                paths(recipe.kernel->config));
  kernel.early_modules = plan_modules(arch + " early modules", kernel, kernel.early_lists, {});
  return kernel;
}

ModulesPlan LayerPlanner::plan_modules(const std::string& title, const KernelPlan& kernel,
                                       const std::vector<fs::path>& list_files,
                                       const std::vector<fs::path>& config_files) {
  // Read once: what the key says is what is used.
  const auto lists = read_lists(list_files);
  const auto configs = read_lists(config_files);
  Key key{"modules 1"};
  key.add("packages", materials_.fingerprint(kernel.section));
  key.add("tools", materials_.fingerprint("tools"));
  for (const auto& list : lists) key.add("list", list.text);
  for (const auto& config : configs) key.add("config", config.text);

  auto& slot = modules_[key.digest()];
  if (slot) return *slot;
  ModulesPlan modules{.fingerprint = key.digest()};
  modules.tree = std::make_shared<Lazy<Tree>>([this, digest = key.digest()] {
    return read_modules(*cache_.find(digest), recipes_.distribution.epoch);
  });
  std::vector<std::size_t> needs = materials_.ready(kernel.section);
  needs.push_back(materials_.toolbox_step());
  modules.step =
      graph_.add({title, needs, 8,
                  [this, digest = key.digest(), lists, packages = kernel.packages,
                   configs](std::stop_token stop) {
                    if (cache_.find(digest)) return Outcome::cached;
                    const auto make = [&](const fs::path& out) {
                      const Kernel prebuilt = read_kernel(packages->get());
                      for (const auto& config : configs)
                        check_kernel_config(prebuilt, config.text, config.file);
                      extract_modules(packages->get(), lists, materials_.toolbox(), out, stop);
                    };
                    cache_.get_or_make(digest, make, stop);
                    return Outcome::built;
                  }});
  slot = modules;
  return modules;
}

const LayerPlan& LayerPlanner::plan(const LayerRecipe& recipe, const Platform& platform,
                                    const std::vector<const LayerPlan*>& below) {
  const bool packaged = !recipe.packages.empty() || recipe.kernel;
  const KernelPlan* kernel = recipe.kernel ? &plan_kernel(recipe, platform.arch.value) : nullptr;
  auto files = std::make_shared<Tree>(own_files(recipe));

  Key content{"layer 2"};
  content.add("recipe", recipe_text(recipe)).add("arch", platform.arch.value);
  content.add("epoch", std::to_string(recipes_.distribution.epoch));
  content.add("files", fingerprint(*files));
  if (packaged) content.add("packages", materials_.fingerprint(recipe.name));
  if (kernel) content.add("modules", kernel->modules.fingerprint);
  for (const auto* layer : below) content.add("below", layer->file_name);
  LayerPlan& layer = layer_of(recipe.name, content, recipe.block_size);
  if (layer.tree) return layer;
  layer.recipe = &recipe;

  std::vector<std::shared_ptr<Lazy<Tree>>> lower;
  std::vector<std::size_t> needs{materials_.toolbox_step()};
  double weight = 1;
  for (const auto* one : below) {
    lower.push_back(one->tree);
    // Only what the lower tree is made of, not its squashfs: layers pack side by side.
    if (!one->recipe->packages.empty())
      for (const auto step : materials_.ready(one->name)) needs.push_back(step);
    if (one->recipe->kernel) needs.push_back(kernels_.at(one->name)->modules.step);
  }
  if (packaged)
    for (const auto step : materials_.ready(recipe.name)) needs.push_back(step);
  if (kernel) needs.push_back(kernel->modules.step);
  if (packaged)
    for (const auto& package : materials_.packages(recipe.name))
      weight += static_cast<double>(package.size) / 2e6;

  layer.tree = std::make_shared<Lazy<Tree>>(
      [this, &recipe, arch = platform.arch.value, packaged, kernel, files, lower] {
        LayerSpec spec = spec_of(recipe, recipes_.distribution, arch);
        if (packaged) spec.packages = materials_.unpacked(recipe.name);
        spec.files = *files;
        if (kernel) {
          // The image boots from the medium and the modules are a selection.
          for (const char* path : {"boot/**", "usr/lib/modules/**", "usr/bin/**", "bin/**"})
            spec.remove.emplace_back(path);
          spec.files.merge(kernel->modules.tree->get());
        }
        for (const auto& tree : lower) spec.below.push_back(&tree->get());
        return make_layer(spec);
      });
  add_step(layer, platform.arch.value, std::move(needs), weight);
  return layer;
}

const LayerPlan& LayerPlanner::plan_platform(const Platform& platform) {
  LayerSpec spec{
      .name = "platform", .arch = platform.arch.value, .epoch = recipes_.distribution.epoch};
  spec.files.put_file(ros::kPlatformConfig, platform_config(platform));
  Key content{"platform layer 1"};
  content.add("files", fingerprint(spec.files)).add("epoch", std::to_string(spec.epoch));
  constexpr unsigned kSmallestBlock = 4096;  // a box keeps several of each layer in memory
  LayerPlan& layer = layer_of(spec.name, content, kSmallestBlock);
  if (layer.tree) return layer;
  layer.tree = std::make_shared<Lazy<Tree>>([spec] { return make_layer(spec); });
  add_step(layer, platform.arch.value, {materials_.toolbox_step()}, 1);
  return layer;
}

LayerPlan& LayerPlanner::layer_of(const std::string& name, const Key& content,
                                  unsigned block_size) {
  Key key{"squashfs 1"};
  key.add("block size", std::to_string(block_size));
  key.add("content", content.digest()).add("level", std::to_string(squashfs_.level));
  key.add("tools", materials_.fingerprint("tools"));
  auto& slot = layers_[key.digest()];
  if (!slot) {
    slot =
        std::make_unique<LayerPlan>(LayerPlan{.name = name, .key = key, .block_size = block_size});
    slot->file_name = fmt::format("{}-{}.squashfs", name, key.digest().substr(0, 16));
    slot->file = std::make_shared<Made>();
  }
  return *slot;
}

void LayerPlanner::add_step(LayerPlan& layer, const std::string& arch,
                            std::vector<std::size_t> needs, double weight) {
  SquashfsOptions options = squashfs_;
  options.block_size = layer.block_size;
  layer.step =
      graph_.add({arch + " layer " + layer.name, std::move(needs), weight,
                  [this, key = layer.key, tree = layer.tree, file = layer.file,
                   options](std::stop_token stop) {
                    return make_file(
                        cache_, key,
                        [&](const fs::path& out) {
                          write_squashfs(tree->get(), out, materials_.toolbox(), options, stop);
                        },
                        *file, stop);
                  }});
}

}  // namespace rosbuild
