#include "builder/publish/index.h"

#include <algorithm>
#include <set>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

bool is_whole(const ros::Release& release, const fs::path& folder) {
  return std::ranges::all_of(release.files, [&](const ros::ReleaseFile& file) {
    boost::system::error_code absent;
    return fs::file_size(folder / file.path, absent) == file.size && !absent;
  });
}

// An index that cannot be read is made anew.
std::vector<ros::Release> known_releases(const fs::path& index) {
  try {
    return ros::parse_releases(ros::try_read_file(index).value_or(""), index.string());
  } catch (const ros::Error&) {
    return {};
  }
}

void remove_unnamed(const std::vector<ros::Release>& releases, const fs::path& folder) {
  std::set<fs::path> named;
  for (const auto& release : releases)
    for (const auto& file : release.files) named.insert(folder / file.path);
  for (const char* part : {"layers", "loader"}) {
    if (!fs::exists(folder / part)) continue;
    std::vector<fs::path> there;
    for (const auto& entry : fs::directory_iterator(folder / part)) there.push_back(entry.path());
    for (const auto& path : there)
      if (!named.contains(path)) fs::remove(path);
  }
}

}  // namespace

std::vector<Published> publish_release(const ros::Release& release,
                                       const std::map<std::string, fs::path>& sources,
                                       const fs::path& folder, const std::string& name,
                                       const fs::path& records) {
  const fs::path root = fs::weakly_canonical(fs::absolute(folder)) / name;
  std::vector<Published> published;
  for (const auto& file : release.files) {
    published.push_back(publish(sources.at(file.path), file.sha256, root, file.path, records));
    published.back().name = name + "/" + file.path;
  }
  const fs::path index = root / "index";
  std::vector<ros::Release> releases = known_releases(index);
  std::erase_if(releases, [&](const ros::Release& other) {
    return other.version == release.version || !is_whole(other, root);
  });
  releases.push_back(release);
  std::string text;
  for (const auto& one : releases) text += (text.empty() ? "" : "\n") + to_text(one);
  write_list(index, text);
  remove_unnamed(releases, root);
  published.push_back({name + "/index", index, text.size(), ros::sha256(text)});
  return published;
}

}  // namespace rosbuild
