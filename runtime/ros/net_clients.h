// Programs that look after an interface while it is there: dhcpcd, wpa_supplicant
// and, once, mmcli, which has ModemManager connect it. Their arguments and files, without starting
// them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "runtime/ros/net_plan.h"

namespace ros {

struct Client {
  std::vector<std::string> argv;
  bool once = false;       // until it succeeds; otherwise it is kept running
  std::string file, text;  // its configuration, written (0600) before it starts
};

std::vector<Client> clients_of(const Config& config, const Interface& interface,
                               std::vector<Error>& problems);

// What rancher.network.modem_networks needs to be running: ModemManager, polkitd and
// the message bus that they speak by. None without that key.
std::vector<Client> modem_daemons(const Config& config);

// One dhcpcd for all interfaces that ask: it costs four processes, however many they
// are, and takes care itself of those that come and go. One with dhcp_args, which
// are words of a command line, has a dhcpcd of its own, among clients_of().
bool has_own_dhcp(const Interface& interface);
Client dhcp_client(const std::vector<Interface>& interfaces);
// dhcpcd.conf(5) for these and no others.
std::string dhcpcd_config(const std::vector<Interface>& interfaces);
// wpa_supplicant.conf(5) with one network of rancher.network.wifi_networks. A value
// that cannot be written in it is left out and named.
std::string wpa_config(const Value& network, std::vector<Error>& problems);

// resolv.conf(5).
std::string resolv_conf(const std::vector<std::string>& servers,
                        const std::vector<std::string>& domains);
// /etc/profile.d/proxy.sh; empty when no proxy is configured.
std::string proxy_profile(const Config& config);

// May a DHCP server's word become the host name? RFC 1123, at most 64 characters.
bool is_host_name(const std::string& name);

}  // namespace ros
