// The verb verify: one line for each artifact, and what is wrong with it.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/build.h"
#include "builder/pack/stream.h"
#include "builder/publish/release.h"
#include "builder/verify/artifact.h"
#include "runtime/base/digest.h"
#include "runtime/base/release.h"

namespace rosbuild {
namespace {

// What `rosbuild` writes beside artifacts.
bool is_about_others(const fs::path& path) {
  static const std::set<std::string> names{"checksums.txt.sig", "index.html", "latest", kVersion};
  return names.contains(path.filename().string());
}

bool is_list(const fs::path& path) { return path.filename() == kChecksums; }

// Of the files that the list names, or of the one called `only`: they have to be there, whole.
std::vector<std::string> unlike_list(const fs::path& folder, const std::string& only = {}) {
  std::vector<std::string> faults;
  for (const auto& [name, sha256] : read_checksums(folder)) {
    if (!only.empty() && name != only) continue;
    const fs::path path = folder / name;
    if (!fs::is_regular_file(path))
      faults.push_back(name + " is not there");
    else if (sha256_sparse(path.string()) != sha256)
      faults.push_back(fmt::format("{} is not what {} says", name, kChecksums));
  }
  return faults;
}

Verdict verify_list(const fs::path& list) {
  const fs::path folder = list.parent_path();
  return {fmt::format("digests of {} files", read_checksums(folder).size()), unlike_list(folder)};
}

Verdict verify_file(const fs::path& file) {
  Verdict verdict = verify_artifact(file);
  const auto faults = unlike_list(file.parent_path(), file.filename().string());
  verdict.faults.insert(verdict.faults.end(), faults.begin(), faults.end());
  return verdict;
}

bool is_release(const fs::path& path) {
  return fs::is_directory(path) && fs::exists(path / "index");
}

// Each file that its index names has to be there, whole.
Verdict verify_release(const fs::path& folder) {
  const fs::path index = folder / "index";
  Verdict verdict;
  const auto releases = ros::parse_releases(ros::read_file(index), index.string());
  verdict.what =
      fmt::format("release, {} version{}", releases.size(), releases.size() == 1 ? "" : "s");
  for (const auto& release : releases)
    for (const auto& file : release.files) {
      const fs::path path = folder / file.path;
      if (!fs::is_regular_file(path) || fs::file_size(path) != file.size ||
          ros::sha256_file(path) != file.sha256)
        verdict.faults.push_back(file.path + " is not what the index says");
    }
  return verdict;
}

}  // namespace

int verify(const Request& request) {
  std::vector<fs::path> files{request.path};
  const bool folder = fs::is_directory(request.path) && !is_release(request.path);
  if (folder) {
    files.clear();
    for (fs::recursive_directory_iterator entry(request.path), end; entry != end; ++entry) {
      const fs::path& path = entry->path();
      if (is_release(path)) entry.disable_recursion_pending();
      if (is_release(path) || (fs::is_regular_file(path) && !is_about_others(path)))
        files.push_back(path);
    }
    std::ranges::sort(files);
  }
  bool good = true;
  for (const auto& file : files) {
    const Verdict verdict = is_release(file) ? verify_release(file)
                            : is_list(file)  ? verify_list(file)
                            : folder         ? verify_artifact(file)  // its list comes with it
                                             : verify_file(file);
    fmt::print("{}: {}\n", file.string(), verdict.what);
    for (const auto& fault : verdict.faults) fmt::print("  wrong: {}\n", fault);
    good = good && verdict.faults.empty();
  }
  return good ? 0 : 1;
}

}  // namespace rosbuild
