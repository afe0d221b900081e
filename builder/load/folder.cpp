#include "builder/load/folder.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/text.h"

namespace rosbuild {

fs::path below(const fs::path& root, const fs::path& relative) {
  return (root / relative).lexically_normal();
}

void for_each_document(const fs::path& folder, ros::Problems& problems,
                       const std::function<void(const Node*, const std::string& stem)>& each) {
  boost::system::error_code failure;
  fs::directory_iterator entries(folder, failure);
  if (failure) {
    problems.add(problem({folder.string()}, "cannot be read: " + failure.message()));
    return;
  }
  std::vector<fs::path> files;
  for (const auto& entry : entries) {
    const auto& path = entry.path();
    if (path.filename().string().starts_with(".")) continue;
    if (path.extension() == ".yaml") files.push_back(path);
    if (path.extension() == ".yml")
      problems.add(problem({path.string()}, "is not read: the suffix here is .yaml"));
  }
  if (files.empty()) problems.add(problem({folder.string()}, "holds no .yaml file"));
  std::ranges::sort(files);
  for (const auto& file : files) {
    const auto document = load_yaml(file, problems);
    each(document ? &*document : nullptr, file.stem().string());
  }
}

Text read_name(MapReader& reader, const std::string& stem) {
  Text name = reader.required_text("name");
  if (!name.value.empty() && name.value != stem)
    reader.problems().add(problem(
        name.at, fmt::format("the name is '{}' but the file is '{}.yaml'", name.value, stem)));
  name.value = stem;
  if (name.at.file.empty()) name.at = reader.at();
  return name;
}

void check_arch(const Text& arch, ros::Problems& problems) {
  static const std::vector<std::string> known{"amd64", "arm64"};
  if (!arch.value.empty() && std::ranges::find(known, arch.value) == known.end())
    problems.add(problem(arch.at, fmt::format("unknown architecture '{}'", arch.value),
                         suggestion(arch.value, known)));
}

bool check_inside(const Text& path, ros::Problems& problems) {
  const auto parts = ros::split(path.value, '/');
  const bool inside = std::ranges::none_of(
      parts, [](const std::string& part) { return part.empty() || part == "." || part == ".."; });
  if (!inside)
    problems.add(problem(path.at, fmt::format("'{}' is not a plain relative path", path.value),
                         "write it as usr/bin/name, without a slash in front, '.' or '..'"));
  return inside;
}

}  // namespace rosbuild
