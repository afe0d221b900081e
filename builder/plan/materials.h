// What the images of one architecture are made of: the packages of its lock, by
// section, and the toolbox that comes out of them.
#pragma once

#include <string>
#include <vector>

#include "builder/fetch/lock.h"
#include "builder/graph/cache.h"
#include "builder/graph/graph.h"
#include "builder/os/toolbox.h"
#include "builder/os/tree.h"
#include "builder/plan/packages.h"

namespace rosbuild {

class Materials {
 public:
  // Adds the step that makes the toolbox. The references must outlive the run.
  Materials(Cache& cache, Graph& graph, const Packages& packages, const Lock& lock,
            const std::string& arch, std::int64_t epoch);

  // Indices of the steps after which the packages of `section` can be read.
  std::vector<std::size_t> ready(const std::string& section) const;

  // The packages of a section, in the lock's order. Throws ros::Error when the
  // lock has no such section.
  const std::vector<LockedPackage>& packages(const std::string& section) const;
  // Where they are after their steps, for read_package.
  std::vector<fs::path> unpacked(const std::string& section) const;
  // All packages of a section merged into one tree.
  Tree merged(const std::string& section) const;
  // Names and digests of a section's packages, for keys.
  std::string fingerprint(const std::string& section) const;

  // The step that makes the toolbox, and the toolbox after it.
  std::size_t toolbox_step() const { return toolbox_step_; }
  Toolbox toolbox() const;

 private:
  std::string toolbox_key() const;

  Cache& cache_;
  const Packages& packages_;
  const Lock& lock_;
  std::int64_t epoch_;
  std::size_t toolbox_step_;
};

}  // namespace rosbuild
