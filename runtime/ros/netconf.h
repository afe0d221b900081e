// The parts of the network set-up that are plain functions of the configuration.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

// Do settings written for `pattern` (a name, a pattern, mac=…) mean this interface?
bool interface_matches(const std::string& pattern, const Value& settings, const std::string& name,
                       const std::string& mac);

// dhcpcd.conf for the settings chosen for each interface.
std::string dhcpcd_config(const Config& config, const std::map<std::string, Value>& interfaces);

std::string resolv_conf(const std::vector<std::string>& servers,
                        const std::vector<std::string>& domains);

}  // namespace ros
