// User Docker's settings as its daemon wants them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

// Not Docker's own place: system Docker must never read it.
inline constexpr const char* kUserDockerConfig = "/run/ros/docker.json";
// A file that people may write; rancher.docker counts more.
inline constexpr const char* kDaemonJson = "/etc/docker/daemon.json";

// The daemon's configuration file: `own` (the text of daemon.json; anything but
// a JSON object counts as empty) with rancher.docker over it. Live-restore is here and not on the
// command line, so that shutdown can turn it off in the running daemon.
std::string user_docker_config(const Config& config, std::string_view own, bool live_restore);
std::vector<std::string> user_docker_command(const Config& config);

}  // namespace ros
