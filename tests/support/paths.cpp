#include "tests/support/paths.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "builder/os/process.h"
#include "runtime/base/text.h"

namespace proof {
namespace {

fs::path from_environment(const char* name, const fs::path& otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? fs::absolute(value) : otherwise;
}

}  // namespace

fs::path output_folder() { return from_environment("ROSBUILD_OUT", fs::path{SOURCE_DIR} / "out"); }

fs::path rosbuild_program() {
  return from_environment("ROSBUILD", fs::path{BINARY_DIR} / "rosbuild");
}

fs::path artifact(const std::string& platform, const std::string& name) {
  const fs::path path = output_folder() / platform / name;
  if (!fs::exists(path))
    FAIL(fmt::format("{} is missing; `make test` builds it (rosbuild image --platform {})",
                     path.string(), platform));
  return path;
}

std::string release() {
  for (const auto& line :
       ros::split(ros::read_file(fs::path{SOURCE_DIR} / "recipes/distribution.yaml"), '\n'))
    if (line.starts_with("version:")) return std::string{ros::trim(line.substr(8))};
  FAIL("recipes/distribution.yaml has no version");
  return {};
}

std::string check_output(const std::vector<std::string>& argv) {
  const auto exit = rosbuild::try_run({.argv = argv});
  if (exit.status != 0)
    FAIL(fmt::format("{} exited {}:\n{}", ros::quote(argv), exit.status, exit.output));
  return exit.output;
}

}  // namespace proof
