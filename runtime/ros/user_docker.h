// User Docker's settings as its daemon wants them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

// Not Docker's own place: system Docker must never read it.
inline constexpr const char* kUserDockerConfig = "/run/ros/docker.json";

// The daemon's configuration file: daemon.json (rancher.docker.config_file,
// /etc/docker/daemon.json) with rancher.docker over it. Live-restore is here and not on the command
// line, so that shutdown can turn it off in the running daemon.
std::string user_docker_config(const Config& config, bool live_restore);
std::string user_docker_config(const Config& config, std::string_view own, bool live_restore);
std::string user_docker_pid_file(const Config& config);
std::vector<std::string> user_docker_command(const Config& config);

// Where the host sees the root of the container whose /proc/self/mountinfo this is.
std::string root_on_host(std::string_view mountinfo);

}  // namespace ros
