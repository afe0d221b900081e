// ros: the tool that people use on the box, and the programs of the system
// services. One binary with many names; the name it is called by may be a verb.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
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
    "  os        the system itself (status, list, upgrade, rollback, gc)\n"
    "  install   puts the system on a disk\n"
    "\n"
    "  reboot, poweroff, halt, shutdown    also commands of their own\n"
    "  wait-for-docker                     returns when user Docker answers\n"
    "\n"
    "  --version, --help\n"
    "\n"
    "`ros COMMAND --help` tells more. `docker` is user Docker; `system-docker` is the\n"
    "Docker that runs the system services.\n";

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
      {"reboot", power("reboot")},
      {"poweroff", power("poweroff")},
      {"halt", power("halt")},
      {"shutdown", power("shutdown")},
      {"system-docker", system_docker_verb},
      {"wait-for-docker", wait_for_docker_verb},
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

int dispatch(const std::string& called_as, Arguments arguments) {
  if (called_as != "config" && called_as != "c" && called_as != "s" && called_as != "os" &&
      called_as != "install" && called_as != "logs") {
    const auto named = verbs().find(called_as);
    if (named != verbs().end()) return named->second(arguments);
  }
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" ||
      arguments[0] == "help") {
    std::fputs(kHelp, arguments.empty() ? stderr : stdout);
    return arguments.empty() ? 2 : 0;
  }
  if (arguments[0] == "--version" || arguments[0] == "-v") return os_verb({"version"});
  const auto found = verbs().find(arguments[0]);
  if (found == verbs().end()) {
    unknown_word("ros", arguments[0],
                 {"config", "service", "logs", "os", "install", "reboot", "poweroff", "halt",
                  "shutdown", "wait-for-docker", "--help", "--version"});
  }
  arguments.erase(arguments.begin());
  return found->second(arguments);
}

}  // namespace
}  // namespace ros

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  const std::string path = argc > 0 ? argv[0] : "ros";
  try {
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
