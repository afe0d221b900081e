// What an administrator of VMware gave to a machine: variables guestinfo.*, and
// the properties of an OVF environment, which stand for variables of their names.
//
//   hostname; cloud-init.config.data, cloud-init.data.encoding, cloud-init.config.url
//   interface.N.{name,mac,dhcp}, interface.N.ip.M.{address,netmask},
//   interface.N.route.R.{gateway,destination}; dns.server.N, dns.servers,
//   dns.domain.N, dns.domains
//   userdata, metadata (cloud-init's, with its network-config), with .encoding
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/ros/datasource.h"

namespace ros {

// The value of guestinfo.KEY, "" when there is none.
using GuestInfo = std::function<std::string(const std::string& key)>;

// Nothing when no variable is there that says anything.
std::optional<UserData> read_guestinfo(const GuestInfo& info, std::vector<std::string>& problems);

// The properties of an OVF environment (DSP0243, "OVF Specification", 9.5): those
// whose names begin with guestinfo., without that. What is no such document is a problem.
std::map<std::string, std::string> parse_ovf_environment(std::string_view xml,
                                                         std::vector<std::string>& problems);

// The source `vmware`: the OVF environment in `file` when it is given and there,
// else on a CD, else the hypervisor's variables (vmware_rpc.h).
std::optional<UserData> fetch_vmware(const std::string& file, std::vector<std::string>& problems);

}  // namespace ros
