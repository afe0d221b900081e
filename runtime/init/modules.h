// Kernel modules without modprobe: the text indices of depmod are read once,
// a name or modalias is resolved to files in loading order, finit_module(2)
// loads them.
//
// A modules.alias of a server kernel has thousands of patterns and a machine
// about a hundred devices. Matching each against each costs seconds on a slow
// processor, so patterns are found by the literal text before their first
// wildcard (kept in a hash table for each length that occurs).
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/base/file.h"

namespace ros {

class ModuleIndex {
 public:
  ModuleIndex() = default;
  // modules.{dep,alias,softdep,builtin} of `folder` (/lib/modules/VERSION), and
  // the "blacklist" lines of the given modprobe.d folders. Absent files are empty.
  explicit ModuleIndex(const fs::path& folder, const std::vector<fs::path>& modprobe_d = {});

  // Files below the folder, in loading order, for a module name or a modalias:
  // dependencies and "pre" soft dependencies before, "post" ones after. Empty
  // when nothing matches or it is built in.
  std::vector<std::string> resolve(const std::string& name_or_alias) const;

 private:
  struct Module {
    std::string path;
    std::vector<std::string> dependencies;  // paths in loading order
    std::vector<std::string> pre, post;     // names or aliases
  };
  struct Alias {
    std::string pattern, module;
  };
  void read_aliases(std::string_view text);
  void resolve(const std::string& name, std::vector<std::string>& paths,
               std::set<std::string>& visited) const;
  std::vector<std::string> matches(const std::string& alias) const;

  std::unordered_map<std::string, Module> modules_;  // by name, with underscores
  std::map<std::size_t, std::unordered_multimap<std::string, Alias>> aliases_;
  std::set<std::string> builtin_, blacklist_;
};

// Loads modules from one folder; may be used by several threads.
class ModuleLoader {
 public:
  // `root` is the root whose /lib/modules is used; the folder stays open, so
  // that moving or deleting the root does not matter. Absent: nothing is loaded.
  // The indices are read when a module is asked for.
  explicit ModuleLoader(const fs::path& root = "/");

  // Loads what `name_or_alias` asks for. A module that cannot be loaded is
  // logged. True when there was something to load and all of it is loaded.
  bool load(const std::string& name_or_alias);
  // Loads for every device in sysfs (an open folder), until no more come.
  void coldplug(int sysfs);
  // Loads for one more device, unless there was one of its kind.
  void load_for(const std::string& modalias);
  // Loads what modules-load.d(5) lists, in /usr/lib and /etc of the root.
  void load_listed();
  // Gives back the memory of the indices; they are read again when they are needed.
  void forget_indices();

 private:
  bool load_file(const std::string& path);
  std::vector<std::string> resolve(const std::string& name_or_alias);

  std::mutex mutex_;  // of index_ and done_
  std::optional<ModuleIndex> index_;
  fs::path root_, path_;
  Fd folder_;
  std::map<std::string, bool> done_;  // path -> loaded
  std::set<std::string> seen_;        // names and aliases; coldplug's alone
};

}  // namespace ros
