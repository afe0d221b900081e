// What everything is made of: locked packages, fetched and unpacked once, and
// the toolbox that comes out of them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "builder/fetch/apt.h"
#include "builder/fetch/lock.h"
#include "builder/graph/cache.h"
#include "builder/graph/graph.h"
#include "builder/os/toolbox.h"
#include "builder/os/tree.h"

namespace rosbuild {

class Materials {
 public:
  // `mirror` is an option's text, looked up only when something must be fetched.
  Materials(Cache& cache, Lock lock, std::string mirror, std::int64_t epoch, Reporter& reporter);

  // Adds the steps that make the packages of these sections available: one that
  // fetches what is missing and one for each package that is not yet unpacked.
  void add_steps(Graph& graph, const std::vector<std::string>& sections);

  // Indices of the steps after which the packages of `section` can be read.
  std::vector<std::size_t> ready(const std::string& section) const;

  // The packages of a section, in the lock's order. Throws ros::Error when the
  // lock has no such section.
  const std::vector<LockedPackage>& packages(const std::string& section) const;
  // Where an unpacked package is (after its step), for read_package.
  fs::path unpacked(const LockedPackage& package) const;
  std::vector<fs::path> unpacked(const std::string& section) const;
  // All packages of a section merged into one tree.
  Tree merged(const std::string& section) const;
  // Names and digests of a section's packages, for keys.
  std::string fingerprint(const std::string& section) const;

  // The step that makes the toolbox, and the toolbox after it.
  std::size_t toolbox_step() const { return toolbox_step_; }
  Toolbox toolbox() const;

 private:
  void fetch(std::stop_token stop);

  Cache& cache_;
  Lock lock_;
  std::string mirror_;
  std::int64_t epoch_;
  Reporter& reporter_;
  std::vector<LockedPackage> missing_;               // neither unpacked nor fetched
  std::map<std::string, std::size_t> unpack_steps_;  // by package digest
  std::size_t toolbox_step_ = 0;
};

}  // namespace rosbuild
