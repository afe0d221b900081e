// The layers of the chosen platforms: each is planned once, whoever uses it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "builder/load/platform.h"
#include "builder/pack/squashfs.h"
#include "builder/plan/made.h"
#include "builder/plan/materials.h"

namespace rosbuild {

struct LayerPlan {
  std::string name;
  Key key;                              // of the squashfs
  unsigned block_size;                  // likewise, in bytes
  const LayerRecipe* recipe = nullptr;  // none of the one that a platform brings
  std::string file_name;                // "base-0123456789abcdef.squashfs"
  std::size_t step = 0;                 // after it, `file` is set
  std::shared_ptr<Lazy<Tree>> tree;     // usable after `step`
  std::shared_ptr<Made> file;
};

struct ModulesPlan {
  std::string fingerprint;  // for keys of what is made from them
  std::size_t step = 0;     // after it, `tree` is usable
  std::shared_ptr<Lazy<Tree>> tree;
};

struct KernelPlan {
  std::string section;  // of the lock
  std::shared_ptr<Lazy<Tree>> packages;
  ModulesPlan modules;        // of the kernel layer
  ModulesPlan early_modules;  // of the early initrd
  std::vector<fs::path> early_lists;
};

struct Programs {
  fs::path init;
  fs::path ros;
};

class LayerPlanner {
 public:
  LayerPlanner(const Recipes& recipes, Cache& cache, Materials& materials, Graph& graph,
               Programs programs, SquashfsOptions squashfs);

  // The layers of a platform, bottom to top, planned on first use. Over those of its recipes is
  // one with what makes a box one of this platform: the others are shared by many.
  std::vector<const LayerPlan*> layers_of(const Platform& platform);
  // The kernel among them. Throws ros::Error when the platform has none.
  const KernelPlan& kernel_of(const Platform& platform);
  const Programs& programs() const { return programs_; }

 private:
  const LayerPlan& plan(const LayerRecipe& recipe, const Platform& platform,
                        const std::vector<const LayerPlan*>& below);
  const LayerPlan& plan_platform(const Platform& platform);
  // The layer whose content this key stands for; it has no tree yet when it is new.
  LayerPlan& layer_of(const std::string& name, const Key& content, unsigned block_size);
  void add_step(LayerPlan& layer, const std::string& arch, std::vector<std::size_t> needs,
                double weight);
  const KernelPlan& plan_kernel(const LayerRecipe& recipe, const std::string& arch);
  ModulesPlan plan_modules(const std::string& title, const KernelPlan& kernel,
                           const std::vector<fs::path>& lists,
                           const std::vector<fs::path>& configs);
  Tree own_files(const LayerRecipe& recipe) const;

  const Recipes& recipes_;
  Cache& cache_;
  Materials& materials_;
  Graph& graph_;
  Programs programs_;
  SquashfsOptions squashfs_;
  std::map<std::string, std::unique_ptr<LayerPlan>> layers_;    // by key digest
  std::map<std::string, std::unique_ptr<KernelPlan>> kernels_;  // by section
  std::map<std::string, std::optional<ModulesPlan>> modules_;   // by key digest
};

}  // namespace rosbuild
