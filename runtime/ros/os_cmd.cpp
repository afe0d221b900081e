// `ros os`, and the small things that every verb uses.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/engine/docker.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

// What init wrote (runtime/init/state.h) and sysinit when the system was ready.
constexpr const char* kStateReport = "/run/ros/state";
constexpr const char* kReady = "/run/ros/ready";

int print_status() {
  const std::string state{trim(try_read_file(kStateReport).value_or("unknown"))};
  constexpr std::string_view kMemory = "memory ";
  const std::string ready{trim(try_read_file(kReady).value_or(""))};
  fmt::print("version  {}\n", ROSBUILD_VERSION);
  fmt::print("state    {}\n", state.starts_with(kMemory)
                                  ? "in memory, nothing is kept: " + state.substr(kMemory.size())
                                  : state);
  fmt::print("ready    {}\n", ready.empty() ? "not yet" : ready + " s after the kernel's start");
  return 0;
}

}  // namespace

int os_verb(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    std::fputs("usage: ros os version | status\n", stdout);
    return arguments.empty() ? 2 : 0;
  }
  if (arguments[0] == "status") return print_status();
  if (arguments[0] != "version") unknown_word("ros os", arguments[0], {"version", "status"});
  std::fputs(ROSBUILD_VERSION "\n", stdout);
  return 0;
}

int system_docker_verb(const Arguments& arguments) {
  std::vector<std::string> argv{"docker", "-H", std::string{"unix://"} + kSystemDocker};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  exec(argv);
}

void unknown_word(const std::string& what, const std::string& word,
                  const std::vector<std::string>& known) {
  Error error{fmt::format("{}: there is no {}", what, word), Error::Kind::usage};
  const auto near = nearest(word, known);
  throw std::move(error).hint(near ? fmt::format("did you mean {}?", *near)
                                   : fmt::format("one of: {}", join(known, ", ")));
}

void require_root() {
  if (::geteuid() != 0) throw Error{"this needs root"}.hint("sudo ros …");
}

}  // namespace ros
