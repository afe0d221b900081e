// Module lists: which of a kernel's modules a list chooses. See kernel.h for
// the language.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "builder/assemble/kernel.h"
#include "runtime/base/error.h"

namespace rosbuild {

// The modules of a kernel, by path below kernel/ without suffix ("fs/ext4/ext4").
class ModuleNames {
 public:
  void add(const std::string& stem);
  void add_builtin(const std::string& name);

  // Stems chosen by the lists, without dependencies. Throws ros::Error with
  // file:line for every pattern that matches nothing.
  std::set<std::string> choose(const std::vector<ModuleList>& lists) const;
  // The stem of module `name` ("nf-conntrack" or "nf_conntrack"); empty when there is none.
  std::string stem(const std::string& name) const;
  bool builtin(const std::string& name) const;
  const std::set<std::string>& stems() const { return stems_; }

  // Module names treat '-' and '_' alike; this is the form with '_'.
  static std::string normal(std::string name);
  static std::string name_of(const std::string& stem);

 private:
  std::set<std::string> match(const std::string& pattern) const;
  std::set<std::string> find_absent(const std::vector<ModuleList>& lists,
                                    ros::Problems& problems) const;

  std::set<std::string> stems_;
  std::map<std::string, std::string> by_name_;
  std::set<std::string> builtin_;
};

}  // namespace rosbuild
