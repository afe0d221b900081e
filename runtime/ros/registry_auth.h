// Credentials of rancher.registry_auths, for whoever pulls with `docker` or `system-docker`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

// docker's config.json: `own` with the configured credentials over it and those of the registries
// in `gone` taken out. Throws Error when `own` is no JSON object, or when a registry has neither
// `auth` nor `username` and `password`.
std::string registry_config(const Config& config, std::string_view own,
                            const std::vector<std::string>& gone);

// The registries of the configuration by the names that docker has for them.
std::vector<std::string> registries_of(const Config& config);

// ~/.docker/config.json of root, rancher and docker. What the configuration said at an earlier boot
// and says no more is taken out; what `docker login` wrote stays.
void write_registry_auths(const Config& config, std::vector<std::string>& problems);

}  // namespace ros
