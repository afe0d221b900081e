#include "tests/support/golden.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "builder/os/process.h"

namespace proof {

void check_golden(const std::string& name, const std::string& text) {
  const fs::path golden = fs::path{SOURCE_DIR} / "tests/golden" / name;
  if (std::getenv("ROSBUILD_ACCEPT") != nullptr) {
    ros::write_file(golden, text);
    fmt::print("SKIPPED: {} was written anew\n", golden.string());
    return;
  }
  if (ros::try_read_file(golden) == text) {
    SUCCEED(name);
    return;
  }
  const auto difference =
      rosbuild::try_run({.argv = {"diff", "-u", golden.string(), "-"}, .input = text});
  FAIL_CHECK("what is there (+) differs from " << golden.string()
                                               << " (-); ROSBUILD_ACCEPT=1 accepts it:\n"
                                               << difference.output);
}

}  // namespace proof
