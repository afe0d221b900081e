#include "builder/plan/packages.h"

#include <fmt/format.h>

#include "builder/assemble/unpack.h"
#include "builder/fetch/apt.h"
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

Packages::Packages(Cache& cache, Graph& graph, const std::map<std::string, Lock>& locks,
                   std::string mirror, Reporter& reporter)
    : cache_(cache), mirror_(std::move(mirror)), reporter_(reporter) {
  std::map<std::string, LockedPackage> wanted;  // by digest: sections may share packages
  for (const auto& [arch, lock] : locks)
    for (const auto& [section, packages] : lock.sections)
      for (const auto& package : packages) wanted.emplace(package.sha256, package);

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
    steps_[digest] = graph.add(
        {"unpack " + package.name, fetched, seconds, [this, package](std::stop_token stop) {
           const std::string key = unpack_key(package);
           if (cache_.find(key)) return Outcome::cached;
           cache_.get_or_make(
               key, [&](const fs::path& out) { unpack_deb(*cache_.find(deb_key(package)), out); },
               stop);
           return Outcome::built;
         }});
  }
}

void Packages::fetch(std::stop_token stop) {
  const Mirror mirror = find_mirror(mirror_);
  const ros::TempDir folder = cache_.scratch();
  std::vector<Download> files;
  std::uint64_t total = 0;
  for (const auto& package : missing_) {
    const std::string url = mirror.url(package);
    files.push_back({.url = url,
                     .sha256 = package.sha256,
                     .size = package.size,
                     .out = folder.path() / package.sha256,
                     .proxy = mirror.proxies.of(url)});
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
  } catch (ros::Error& error) {
    keep();
    error.add_context("while fetching packages from " + mirror.description());
    throw;
  } catch (...) {
    keep();
    throw;
  }
  keep();
}

fs::path Packages::unpacked(const LockedPackage& package) const {
  if (auto entry = cache_.find(unpack_key(package))) return *entry;
  throw ros::Error{"internal: package " + package.name + " is used before it is unpacked"};
}

}  // namespace rosbuild
