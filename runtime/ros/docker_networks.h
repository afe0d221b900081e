// What Docker remembers of its networks.
//
// A starting Docker first builds every network it remembers, interfaces and firewall
// rules, and then removes the default one and builds it again as it is configured now:
// two times some thirty iptables processes, of which only the last count. Without a
// memory it does the second half alone. So a memory of nothing but the networks that
// every Docker makes by itself (bridge, host, none) is not worth having after a boot.
#pragma once

#include <map>
#include <string>

#include "runtime/base/file.h"

namespace ros {

// Do these records (libnetwork's, docker/network/v1.0/KIND/ID/ -> JSON, each after eight
// bytes of libkv's) tell of default networks only, and of what was attached to them?
// Whatever is not understood counts as no.
bool only_default_networks(const std::map<std::string, std::string>& records);

// Removes network/files/local-kv.db of the data root `graph` when that is so. To be
// called while no container of this Docker runs. A file that cannot be read stays.
void forget_default_networks(const fs::path& graph);

}  // namespace ros
