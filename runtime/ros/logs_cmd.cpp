// `ros logs`: one word for what is kept in several places: files, the kernel, containers.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/ros/options.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr const char* kHelp =
    "usage: ros logs [-f] [-n N] [NAME]\n"
    "           -f, --follow    goes on as more is written\n"
    "           -n, --lines N   the last N, 100 when not given\n"
    "\n"
    "NAME is a service (its container's output), or\n"
    "  system         what init and ros did and what went wrong; when there is no NAME\n"
    "  kernel         the kernel's messages\n"
    "  syslog         what programs say to syslog(3)\n"
    "  system-docker  the Docker of the system services\n"
    "  containerd     what both Dockers stand on\n";

// init and ros write to the kernel's buffer, as facility daemon: it is there before any file.
const std::map<std::string, const char*> kFacilities{{"system", "daemon"}, {"kernel", "kern"}};
const std::map<std::string, const char*> kFiles{{"syslog", "/var/log/syslog"},
                                                {"system-docker", "/var/log/system-docker.log"},
                                                {"containerd", "/var/log/containerd.log"}};

}  // namespace

int logs_verb(const Arguments& arguments) {
  if (std::ranges::count(arguments, "--help") > 0 || std::ranges::count(arguments, "-h") > 0) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  require_root();
  Arguments rest = arguments;
  const bool follow = take_flag(rest, "-f", "--follow");
  const std::string given = take_option(rest, "-n", "--lines");
  const std::string lines = given.empty() ? "100" : given;
  if (lines.find_first_not_of("0123456789") != lines.npos)
    throw Error{fmt::format("--lines needs a number, not {}", lines), Error::Kind::usage};
  expect_words(rest, 0, 1, "ros logs");
  const std::string name = rest.empty() ? "system" : rest[0];
  if (const auto facility = kFacilities.find(name); facility != kFacilities.end()) {
    if (follow) exec({"dmesg", "--follow", "--facility", facility->second});
    exec({"sh", "-c", fmt::format("dmesg --facility {} | tail -n {}", facility->second, lines)});
  }
  const auto file = kFiles.find(name);
  if (file == kFiles.end()) {
    Arguments words{"--lines", lines, name};
    if (follow) words.emplace_back("--follow");
    return service_logs(words);
  }
  if (!fs::exists(file->second)) throw Error{fmt::format("{} is not there yet", file->second)};
  std::vector<std::string> argv{"tail", "-n", lines};
  if (follow) argv.emplace_back("-F");
  argv.emplace_back(file->second);
  exec(argv);
}

}  // namespace ros
