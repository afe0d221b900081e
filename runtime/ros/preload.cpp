#include "runtime/ros/preload.h"

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/ros/process.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

fs::path mark_of(const fs::path& archive) { return archive.string() + ".done"; }

}  // namespace

std::vector<fs::path> archives_to_load(const fs::path& folder) {
  std::vector<fs::path> archives;
  boost::system::error_code absent;
  for (fs::directory_iterator it{folder, absent}, end; it != end; it.increment(absent)) {
    const fs::path& file = it->path();
    if (!fs::is_regular_file(file, absent) || file.extension() == ".done" ||
        file.filename().string().starts_with('.'))
      continue;
    const fs::path mark = mark_of(file);
    if (!fs::exists(mark, absent) || fs::last_write_time(mark) < fs::last_write_time(file))
      archives.push_back(file);
  }
  std::ranges::sort(archives);
  return archives;
}

void load_archives(const fs::path& folder, const std::string& socket,
                   std::vector<std::string>& problems) {
  const auto load = [&](const fs::path& archive) {
    try {
      run_program(
          {"docker", "-H", "unix://" + socket, "load", "--quiet", "--input", archive.string()});
      write_file(mark_of(archive), "");
    } catch (const std::exception& error) {
      problems.emplace_back(error.what());
    }
  };
  try {
    const auto archives = archives_to_load(folder);
    if (archives.empty()) return;
    wait_for_engine(socket);
    for (const auto& archive : archives) load(archive);
  } catch (const std::exception& error) {
    problems.emplace_back(error.what());
  }
}

}  // namespace ros
