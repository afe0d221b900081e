// (Recipes, platforms) -> a graph of steps that makes every artifact. The
// composition root: the only place that sees every stage.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "builder/cli.h"
#include "builder/load/platform.h"
#include "builder/plan/images.h"
#include "builder/plan/layers.h"
#include "builder/plan/made.h"
#include "builder/plan/materials.h"
#include "builder/publish/release.h"
#include "runtime/base/release.h"

namespace rosbuild {

class Plan {
 public:
  // Adds its steps to the graph, for the platforms of one architecture. The references must
  // outlive the plan, and the plan the run.
  Plan(const Recipes& recipes, Cache& cache, Graph& graph, const Packages& packages,
       std::string arch, const Lock& lock, const Request& request, Programs programs);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  // Adds the artifacts of a platform that the request asks for.
  void add(const Platform& platform);

  // After the graph has run: puts every artifact and each platform's
  // checksums.txt into the output folder.
  // Throws Cancelled on a stop, between two artifacts.
  std::vector<Published> publish(const std::stop_token& stop) const;

 private:
  struct Artifact {
    std::string platform;
    std::string name;
    std::shared_ptr<Made> file;
    // Of a release: where its files are, by their paths.
    std::function<std::map<std::string, fs::path>()> sources = {};
  };
  struct Boot;  // what the artifacts of one platform share

  Boot plan_boot(const Platform& platform);
  PlannedFile plan_medium_kernel(const Platform& platform, const KernelPlan& kernel,
                                 const PlannedFile& image);
  PlannedFile early_initrd_of(const KernelPlan& kernel);
  std::size_t plan_loader();
  ros::Release release_of(const Platform& platform, const Boot& boot) const;
  std::map<std::string, fs::path> release_sources(const ros::Release& release,
                                                  const Boot& boot) const;
  void add_artifact(const Platform& platform, const ArtifactSpec& spec, const Boot& boot);
  PlannedFile plan_part(const Platform& platform, const ArtifactSpec& spec, const Boot& boot);
  std::vector<LockedPackage> shipped_packages(const Boot& boot) const;
  PlannedFile plan_rootfs(const std::string& title, const Boot& boot);
  PlannedFile plan_medium(const Platform& platform, const ArtifactSpec& spec, const Boot& boot);

  const Recipes& recipes_;
  Cache& cache_;
  Graph& graph_;
  std::string arch_;
  const Request& request_;
  Materials materials_;
  FileSteps files_;
  ImagePlanner images_;
  LayerPlanner layers_;
  std::size_t loader_step_;
  std::map<std::string, Made> loader_;  // after its step: by name in the loader's folder
  std::vector<Artifact> artifacts_;
};

}  // namespace rosbuild
