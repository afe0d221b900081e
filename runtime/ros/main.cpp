// ros: the tool that people use on the box, and the programs of the system
// services. One binary with many names; the name it is called by may be a verb.
#include <fmt/format.h>
#include <signal.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/ros/catalogue.h"
#include "runtime/ros/completion.h"
#include "runtime/ros/console_image.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr const char* kHelp =
    "usage: ros COMMAND\n"
    "\n"
    "  config    show and change the configuration (get, set, merge, export, …)\n"
    "  service   services (list, enable, disable, ps, logs, up, down, restart, …)\n"
    "  logs      of the system, the engines, the kernel and the services\n"
    "  console   which system you log in to (list, switch, enable)\n"
    "  engine    which Docker you have (list, switch, enable, create, rm)\n"
    "  tls       certificates for docker --tlsverify (generate)\n"
    "  os        the system itself (status, list, upgrade, rollback, append, gc, …)\n"
    "  install   puts the system on a disk\n"
    "\n"
    "  reboot, poweroff, halt, shutdown    also commands of their own\n"
    "  wait-for-docker                     returns when user Docker answers\n"
    "  preload-images                      loads what lies in /var/lib/rancher/preload\n"
    "  env COMMAND…                        with the variables of rancher.environment\n"
    "  dev SPEC                            the device of LABEL=… or UUID=…\n"
    "\n"
    "  --version, --help\n"
    "\n"
    "`ros COMMAND --help` tells more. `docker` is user Docker; `system-docker` is the\n"
    "Docker that runs the system services.\n";

int wait_for_docker(const Arguments& arguments) {
  if (arguments.empty() || (arguments[0] != "--help" && arguments[0] != "-h"))
    return wait_for_docker_verb(arguments);
  std::puts(
      "usage: wait-for-docker [--then COMMAND…]    returns, or becomes COMMAND, when user\n"
      "                                            Docker answers");
  return 0;
}

using Verb = std::function<int(const Arguments&)>;

const std::map<std::string, Verb>& verbs() {
  static const auto power = [](const char* name) -> Verb {
    return [name](const Arguments& arguments) { return power_verb(name, arguments); };
  };
  static const std::map<std::string, Verb> table{
      {"config", config_verb},
      {"c", config_verb},
      {"service", service_verb},
      {"s", service_verb},
      {"logs", logs_verb},
      {"os", os_verb},
      {"install", install_verb},
      {"console", console_verb},
      {"engine", engine_verb},
      {"tls", tls_verb},
      {"env", env_verb},
      {"entrypoint", env_verb},  // of images made for the old system
      {"dev", dev_verb},
      {"preload-images", preload_images_verb},
      {"console-login", console_login_verb},
      {"sudo", sudo_verb},
      {"reboot", power("reboot")},
      {"poweroff", power("poweroff")},
      {"halt", power("halt")},
      {"shutdown", power("shutdown")},
      {"system-docker", system_docker_verb},
      {"wait-for-docker", wait_for_docker},
      {"early-config", early_config_verb},
      {"bootcmd", bootcmd_verb},
      {"sysinit", sysinit_verb},
      {"system-dockerd", system_dockerd_verb},
      {"stop-all", stop_all_verb},
      {"recovery", recovery_verb},
      {"console-init", console_init_verb},
      {"netconf", netconf_verb},
      {"dhcp-hook", dhcp_hook_verb},
      {"kernel-modprobe", kernel_modprobe_verb},
      {"ntp", ntp_verb},
      {"udev", udev_verb},
      {"user-docker", user_docker_verb},
  };
  return table;
}

// The names that this program has besides its own (recipes/layers/runtime.yaml, console_image.cpp).
constexpr std::array kNames{
    "reboot",    "poweroff",        "halt",          "shutdown", "system-docker", "wait-for-docker",
    "dhcp-hook", "kernel-modprobe", "console-login", "sudo"};
// In a console out of an image these need programs and files of the system.
constexpr std::array kNeedSystem{"console", "engine",  "install", "logs",
                                 "os",      "service", "s",       "tls"};

// Those of the configuration and of the catalogues, as far as whoever asks may read them.
std::vector<std::string> service_names() {
  std::set<std::string> names;
  try {
    const Config config = load_config();
    for (const char* key : {"rancher.services", "rancher.services_include"})
      if (const Value* found = config.find(key))
        for (const auto& member : found->members()) names.insert(member.first);
    std::vector<std::string> ignored;
    for (auto& name : Catalogue{config}.names(ignored)) names.insert(std::move(name));
  } catch (const std::exception&) {
    // Nobody wants to read of it in the middle of a command.
  }
  return {names.begin(), names.end()};
}

int complete() {
  const char* line = std::getenv("COMP_LINE");
  const char* point = std::getenv("COMP_POINT");
  const std::string_view all = line ? line : "";
  const auto length = static_cast<std::size_t>(point ? std::max(std::atol(point), 0L) : 0);
  for (const auto& word : completions(all.substr(0, std::min(length, all.size())), service_names))
    std::puts(word.c_str());
  return 0;
}

int dispatch(const std::string& called_as, Arguments arguments) {
  if (std::ranges::find(kNames, called_as) != kNames.end()) return verbs().at(called_as)(arguments);
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" ||
      arguments[0] == "help") {
    std::fputs(kHelp, arguments.empty() ? stderr : stdout);
    return arguments.empty() ? 2 : 0;
  }
  if (arguments[0] == "--version" || arguments[0] == "-v") return os_verb({"version"});
  if (arguments[0] == "--complete") return complete();
  const auto found = verbs().find(arguments[0]);
  if (found == verbs().end()) {
    unknown_word("ros", arguments[0],
                 {"config", "service", "console", "engine", "tls", "logs", "os", "install",
                  "reboot", "poweroff", "halt", "shutdown", "wait-for-docker", "preload-images",
                  "env", "dev", "--help", "--version"});
  }
  if (std::ranges::find(kNeedSystem, arguments[0]) != kNeedSystem.end() && ::geteuid() == 0 &&
      in_console_image())
    enter_host();
  arguments.erase(arguments.begin());
  return found->second(arguments);
}

}  // namespace
}  // namespace ros

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  const std::string path = argc > 0 ? argv[0] : "ros";
  try {
    if (::getauxval(AT_SECURE) != 0)
      return ros::sudo_verb(ros::Arguments(argv + std::min(argc, 1), argv + argc));
    return ros::dispatch(path.substr(path.rfind('/') + 1),
                         ros::Arguments(argv + std::min(argc, 1), argv + argc));
  } catch (const ros::Error& error) {
    std::fprintf(stderr, "ros: %s\n", error.what());
    return error.exit_status();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ros: internal error: %s\n", error.what());
    return 1;
  }
}
