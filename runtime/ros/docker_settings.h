// The settings of both dockerds: rancher.docker and rancher.system_docker in the words of
// daemon.json and of dockerd's command line (https://docs.docker.com/reference/cli/dockerd/).
//
// One table says for each key where it goes; what a daemon cannot be told is said, not ignored.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

enum class Dockerd { user, system };

// daemon.json: `own` (the text of one; anything but a JSON object counts as empty), the settings
// over it, without what extra_args say, since dockerd refuses to be told twice.
nlohmann::json daemon_json(const Config& config, Dockerd which, std::string_view own);

// extra_args, and for user Docker tls_args when TLS is on.
std::vector<std::string> daemon_arguments(const Config& config, Dockerd which);

// NAME=VALUE: the proxies of rancher.environment, then the engine's own `environment`.
std::vector<std::string> daemon_environment(const Config& config, Dockerd which);

// All that a running daemon of this kind was told; differs when it must start anew.
std::string daemon_settings(const Config& config, Dockerd which);

// One line for each key that is set and has no effect, with its place and the reason.
std::vector<std::string> settings_without_effect(const Config& config);

}  // namespace ros
