// The verb verify: one line for each artifact, and what is wrong with it.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/build.h"
#include "builder/verify/artifact.h"
#include "runtime/base/digest.h"
#include "runtime/base/release.h"

namespace rosbuild {
namespace {

// What `rosbuild image` and `rosbuild publish` write beside artifacts.
bool is_about_others(const fs::path& path) {
  static const std::set<std::string> names{"checksums.txt", "checksums.txt.sig", "index.html",
                                           "latest"};
  return names.contains(path.filename().string());
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
  if (fs::is_directory(request.path) && !is_release(request.path)) {
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
    const Verdict verdict = is_release(file) ? verify_release(file) : verify_artifact(file);
    fmt::print("{}: {}\n", file.string(), verdict.what);
    for (const auto& fault : verdict.faults) fmt::print("  wrong: {}\n", fault);
    good = good && verdict.faults.empty();
  }
  return good ? 0 : 1;
}

}  // namespace rosbuild
