// Verbs that do one small thing: env, entrypoint, dev, preload-images.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/engine/docker.h"
#include "runtime/ros/options.h"
#include "runtime/ros/preload.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

bool wants_help(const Arguments& arguments, const char* help) {
  if (arguments.empty() || (arguments[0] != "--help" && arguments[0] != "-h")) return false;
  std::fputs(help, stdout);
  return true;
}

}  // namespace

// What the environment already has stays.
int env_verb(const Arguments& arguments) {
  if (wants_help(arguments,
                 "usage: ros env COMMAND…    with the variables of rancher.environment\n"))
    return 0;
  if (arguments.empty())
    throw Error{"ros env needs a COMMAND", Error::Kind::usage}.hint("sudo ros env env");
  require_root();
  std::vector<std::string> environment;
  for (const auto& [name, value] : load_config().pairs("rancher.environment"))
    if (!std::getenv(name.c_str())) environment.push_back(name + "=" + value);
  exec(arguments, environment);
}

int dev_verb(const Arguments& arguments) {
  if (wants_help(arguments,
                 "usage: ros dev SPEC    the device of LABEL=…, UUID=…, PARTLABEL=… or "
                 "PARTUUID=…\n"))
    return 0;
  expect_words(arguments, 1, 1, "ros dev");
  const std::string& spec = arguments[0];
  if (spec.starts_with('/')) {
    if (!fs::exists(spec)) throw Error{fmt::format("there is no {}", spec)};
    fmt::print("{}\n", spec);
    return 0;
  }
  require_root();
  const auto [status, output] = try_program({"findfs", spec});
  if (status != 0) throw Error{fmt::format("no device has {}", spec)}.hint("sudo blkid");
  fmt::print("{}\n", trim(output));
  return 0;
}

int preload_images_verb(const Arguments& arguments) {
  if (wants_help(arguments,
                 "usage: ros preload-images    loads the archives below "
                 "/var/lib/rancher/preload that are new;\n"
                 "                             each boot does the same\n"))
    return 0;
  expect_words(arguments, 0, 0, "ros preload-images");
  require_root();
  std::vector<std::string> problems;
  load_archives(fs::path{kPreloadFolder} / "system-docker", kSystemDocker, problems);
  load_archives(fs::path{kPreloadFolder} / "docker", kUserDocker, problems);
  if (!problems.empty()) throw Error{join(problems, "\n")};
  return 0;
}

}  // namespace ros
