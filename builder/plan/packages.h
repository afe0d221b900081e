// The packages of a build, whatever architectures it is for: those that are
// missing are fetched in one go, and each is unpacked once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "builder/fetch/lock.h"
#include "builder/graph/cache.h"
#include "builder/graph/graph.h"

namespace rosbuild {

class Packages {
 public:
  // Adds the steps: one that fetches what is missing, and one for each package. `mirror` is an
  // option's text, looked up only when something must be fetched. The references must outlive
  // the run.
  Packages(Cache& cache, Graph& graph, const std::map<std::string, Lock>& locks, std::string mirror,
           Reporter& reporter);
  Packages(const Packages&) = delete;
  Packages& operator=(const Packages&) = delete;

  // The step after which the package can be read. It must be one of the locks.
  std::size_t step(const LockedPackage& package) const { return steps_.at(package.sha256); }
  // Where it is then, for read_package.
  fs::path unpacked(const LockedPackage& package) const;

 private:
  void fetch(std::stop_token stop);

  Cache& cache_;
  std::string mirror_;
  Reporter& reporter_;
  std::vector<LockedPackage> missing_;        // neither unpacked nor fetched
  std::map<std::string, std::size_t> steps_;  // by digest
};

}  // namespace rosbuild
