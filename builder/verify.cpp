// The verb verify: one line for each artifact, and what is wrong with it.
#include <fmt/format.h>

#include <algorithm>

#include "builder/build.h"
#include "builder/verify/artifact.h"

namespace rosbuild {

int verify(const Request& request) {
  std::vector<fs::path> files{request.path};
  if (fs::is_directory(request.path)) {
    files.clear();
    for (const auto& entry : fs::recursive_directory_iterator(request.path))
      if (fs::is_regular_file(entry.path()) && entry.path().filename() != "checksums.txt")
        files.push_back(entry.path());
    std::ranges::sort(files);
  }
  bool good = true;
  for (const auto& file : files) {
    const Verdict verdict = verify_artifact(file);
    fmt::print("{}: {}\n", file.string(), verdict.what);
    for (const auto& fault : verdict.faults) fmt::print("  wrong: {}\n", fault);
    good = good && verdict.faults.empty();
  }
  return good ? 0 : 1;
}

}  // namespace rosbuild
