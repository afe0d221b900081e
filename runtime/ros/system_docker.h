// What rancher.system_docker and proxies are for system Docker, which init starts.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

inline constexpr const char* kSystemDockerConfig = "/run/ros/system-docker.json";

// init's command line with the configuration file replaced by kSystemDockerConfig and extra_args
// added; `--debug` goes into the file, since dockerd refuses to be told twice.
std::vector<std::string> system_docker_command(std::vector<std::string> argv, const Config& config);
std::string system_docker_config(const Config& config, std::string_view own, bool debug);

// System Docker has served: the settings that it has are good ones.
void confirm_system_docker();

// Ends it once it serves, so that init starts it with the settings that count now, and returns when
// it serves again; containers go on. Until then user Docker must not begin (sysinit.cpp says why).
void restart_system_docker();

}  // namespace ros
