// What DHCP said about each interface, kept in a folder for everybody who asks.
#pragma once

#include "runtime/config/load.h"

namespace ros {

inline constexpr const char* kLeases = "/run/ros/dhcp";  // INTERFACE.4, INTERFACE.6

// Writes /etc/resolv.conf from the configuration and the leases.
void write_resolv_conf(const Config& config);

}  // namespace ros
