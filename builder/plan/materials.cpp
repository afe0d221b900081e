#include "builder/plan/materials.h"

#include <fmt/format.h>

#include <algorithm>

#include "builder/assemble/unpack.h"
#include "builder/fetch/download.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

std::string deb_key(const LockedPackage& package) {
  return Key{"deb 1"}.add("sha256", package.sha256).digest();
}

std::string unpack_key(const LockedPackage& package) {
  return Key{"unpacked 1"}.add("sha256", package.sha256).digest();
}

}  // namespace

Materials::Materials(Cache& cache, Lock lock, std::string mirror, std::int64_t epoch,
                     Reporter& reporter)
    : cache_(cache),
      lock_(std::move(lock)),
      mirror_(std::move(mirror)),
      epoch_(epoch),
      reporter_(reporter) {}

const std::vector<LockedPackage>& Materials::packages(const std::string& section) const {
  const auto found = lock_.sections.find(section);
  if (found == lock_.sections.end())
    throw ros::Error{fmt::format("the lock has no section for layer '{}'", section),
                     ros::Error::Kind::input}
        .hint("run `rosbuild lock`");
  return found->second;
}

void Materials::add_steps(Graph& graph, const std::vector<std::string>& sections) {
  std::map<std::string, LockedPackage> wanted;  // by digest: sections may share packages
  for (const auto& section : sections)
    for (const auto& package : packages(section)) wanted.emplace(package.sha256, package);

  for (const auto& [digest, package] : wanted)
    if (!cache_.find(unpack_key(package)) && !cache_.find(deb_key(package)))
      missing_.push_back(package);

  std::vector<std::size_t> fetched;
  if (!missing_.empty())
    fetched = {graph.add(
        {fmt::format("fetch {} packages", missing_.size()), {}, 10, [this](std::stop_token stop) {
           fetch(stop);
           return Outcome::built;
         }})};

  for (const auto& [digest, package] : wanted) {
    const double seconds = static_cast<double>(package.size) / 5e6;  // xz, about 5 MB/s in
    unpack_steps_[digest] =
        graph.add({"unpack " + package.name, fetched, seconds, [this, package](std::stop_token) {
                     const std::string key = unpack_key(package);
                     if (cache_.find(key)) return Outcome::cached;
                     cache_.get_or_make(key, [&](const fs::path& out) {
                       unpack_deb(*cache_.find(deb_key(package)), out);
                     });
                     return Outcome::built;
                   }});
  }

  toolbox_step_ = graph.add(
      {"tools", ready("tools"), 1, [this](std::stop_token) {
         const std::string key = Key{"tools 1"}.add("packages", fingerprint("tools")).digest();
         if (cache_.find(key)) return Outcome::cached;
         cache_.get_or_make(key, [&](const fs::path& out) { write_tree(merged("tools"), out); });
         return Outcome::built;
       }});
}

void Materials::fetch(std::stop_token stop) {
  const Mirror mirror = find_mirror(mirror_);
  const ros::TempDir folder = cache_.scratch();
  std::vector<Download> files;
  std::uint64_t total = 0;
  for (const auto& package : missing_) {
    files.push_back({.url = mirror.url(package),
                     .sha256 = package.sha256,
                     .size = package.size,
                     .out = folder.path() / package.sha256});
    total += package.size;
  }
  reporter_.note(fmt::format("fetching {} packages, {}", files.size(), ros::human_size(total)));
  // What arrived before a failure is kept, so that the next run goes on from there.
  const auto keep = [&] {
    for (const auto& package : missing_) {
      const fs::path file = folder.path() / package.sha256;
      if (fs::exists(file))
        cache_.get_or_make(deb_key(package), [&](const fs::path& out) { fs::rename(file, out); });
    }
  };
  try {
    download(files, {}, stop);
  } catch (...) {
    keep();
    throw;
  }
  keep();
}

std::vector<std::size_t> Materials::ready(const std::string& section) const {
  std::vector<std::size_t> steps;
  for (const auto& package : packages(section)) steps.push_back(unpack_steps_.at(package.sha256));
  return steps;
}

fs::path Materials::unpacked(const LockedPackage& package) const {
  if (auto entry = cache_.find(unpack_key(package))) return *entry;
  throw ros::Error{"internal: package " + package.name + " is used before it is unpacked"};
}

std::vector<fs::path> Materials::unpacked(const std::string& section) const {
  std::vector<fs::path> folders;
  for (const auto& package : packages(section)) folders.push_back(unpacked(package));
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

Toolbox Materials::toolbox() const {
  const auto entry = cache_.find(Key{"tools 1"}.add("packages", fingerprint("tools")).digest());
  if (!entry) throw ros::Error{"internal: the tools are used before they are made"};
  return Toolbox{*entry, epoch_};
}

}  // namespace rosbuild
