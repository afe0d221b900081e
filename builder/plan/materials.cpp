#include "builder/plan/materials.h"

#include <fmt/format.h>

#include "builder/assemble/unpack.h"
#include "runtime/base/error.h"

namespace rosbuild {

Materials::Materials(Cache& cache, Graph& graph, const Packages& packages, const Lock& lock,
                     const std::string& arch, std::int64_t epoch)
    : cache_(cache), packages_(packages), lock_(lock), epoch_(epoch) {
  toolbox_step_ =
      graph.add({arch + " tools", ready("tools"), 1, [this](std::stop_token stop) {
                   const std::string key = toolbox_key();
                   if (cache_.find(key)) return Outcome::cached;
                   cache_.get_or_make(
                       key, [&](const fs::path& out) { write_tree(merged("tools"), out); }, stop);
                   return Outcome::built;
                 }});
}

const std::vector<LockedPackage>& Materials::packages(const std::string& section) const {
  const auto found = lock_.sections.find(section);
  if (found == lock_.sections.end())
    throw ros::Error{fmt::format("the lock has no section for layer '{}'", section),
                     ros::Error::Kind::input}
        .hint("run `rosbuild lock`");
  return found->second;
}

std::vector<std::size_t> Materials::ready(const std::string& section) const {
  std::vector<std::size_t> steps;
  for (const auto& package : packages(section)) steps.push_back(packages_.step(package));
  return steps;
}

std::vector<fs::path> Materials::unpacked(const std::string& section) const {
  std::vector<fs::path> folders;
  for (const auto& package : packages(section)) folders.push_back(packages_.unpacked(package));
  return folders;
}

Tree Materials::merged(const std::string& section) const {
  Tree tree;
  // The links of merged /usr first, so that /lib/x of another package goes to /usr/lib/x.
  for (const char* link : {"bin", "sbin", "lib", "lib64"})
    tree.put_link(link, std::string("usr/") + link);
  for (const auto& folder : unpacked(section)) tree.merge(read_package(folder));
  return tree;
}

std::string Materials::fingerprint(const std::string& section) const {
  std::string text;
  for (const auto& package : packages(section)) text += package.name + " " + package.sha256 + "\n";
  return text;
}

std::string Materials::toolbox_key() const {
  return Key{"tools 1"}.add("packages", fingerprint("tools")).digest();
}

Toolbox Materials::toolbox() const {
  const auto entry = cache_.find(toolbox_key());
  if (!entry) throw ros::Error{"internal: the tools are used before they are made"};
  return Toolbox{*entry, epoch_};
}

}  // namespace rosbuild
