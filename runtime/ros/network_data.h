// The network documents of clouds as rancher.network trees (network_tree.h).
//
//   OpenStack      network_data.json, "Metadata service" of Nova's documentation
//   cloud-init     network-config, versions 1 and 2 (version 2 is netplan's)
//   DigitalOcean   interfaces and dns of metadata/v1.json
//   Packet         network of the metadata, Equinix Metal by its later name
//
// Pure functions. Each gives a null when the document says nothing of the network
// and adds to `problems` what it cannot use; the rest counts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/config/value.h"

namespace ros {

Value network_of_openstack(const Value& document, std::vector<std::string>& problems);
// With the key `network` around it, or without.
Value network_of_cloud_init(const Value& document, std::vector<std::string>& problems);
Value network_of_digitalocean(const Value& metadata, std::vector<std::string>& problems);
Value network_of_packet(const Value& metadata, std::vector<std::string>& problems);

}  // namespace ros
