// Builds a rancher.network tree out of what a cloud says about a machine's
// network, whose documents all mean the same few things in different words.
//
// An interface goes by the key it gets in rancher.network.interfaces: a name,
// a pattern or mac=…. Everything comes from outside: what is no address, no
// name, or out of range is left out, and a problem says so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/config/value.h"
#include "runtime/ros/datasource.h"

namespace ros {

class NetworkTree {
 public:
  explicit NetworkTree(std::vector<std::string>& problems) : problems_(problems) {}

  // Adds the interface when it is new; dhcp is off until somebody asks for it.
  // "" and a problem when `key` can be no interface. All others ignore a "".
  std::string add_interface(std::string_view key);
  // mac=… for a hardware address, in lower case; "" and a problem for anything else.
  std::string add_mac(std::string_view mac);

  void set(const std::string& key, std::string_view setting, Value value);
  void set_mtu(const std::string& key, const Value* mtu);
  void use_dhcp(const std::string& key) { set(key, "dhcp", Value::boolean(true)); }
  // IPv6 as a cloud calls it, without what some put before: dhcp6, dhcp, dhcpv6-stateful, slaac,
  // dhcpv6-stateless. False for anything else.
  bool use_ipv6(const std::string& key, std::string_view how);

  // `address` may have its length behind a slash; else `mask` is the length
  // (24), a netmask (255.255.255.0), or "" for the address alone.
  void add_address(const std::string& key, std::string_view address, std::string_view mask = {});
  // `to` as in add_address, or "default". A default route is the gateway of its
  // family, unless there is one already or it has a metric.
  void add_route(const std::string& key, std::string_view to, std::string_view mask,
                 std::string_view via, std::string_view metric = {});
  void add_gateway(const std::string& key, std::string_view gateway);

  // Option names without the prefix that documents put before them ("bond-mode").
  void add_bond(const std::string& key, const std::vector<Value::Member>& options);
  void add_vlan(const std::string& parent, std::string_view id, const std::string& child);

  void add_name_servers(const std::vector<std::string>& addresses);
  void add_search(const std::vector<std::string>& domains);

  // The interface with an address in whose network `address` is, "" when none.
  std::string reaching(std::string_view address) const;
  void problem(std::string what) { problems_.push_back(std::move(what)); }

  // rancher.network, null when nothing was said.
  Value finish() &&;

 private:
  std::string ensure(std::string key);
  Value* settings_of(const std::string& key);
  std::string with_length(std::string_view address, std::string_view mask);

  std::vector<std::string>& problems_;
  Value interfaces_ = Value::map();
  std::vector<std::string> name_servers_;
  std::vector<std::string> search_;
};

// A name that Linux accepts for an interface and that needs no quoting anywhere.
bool is_interface_name(std::string_view name);
int address_family(std::string_view address);  // AF_INET, AF_INET6, or AF_UNSPEC: no address

// Fills what `metadata` does not say yet with the first static address of each
// kind in `network`; private are those of RFC 1918 and RFC 4193.
void note_addresses(const Value& network, Metadata& metadata);

// The text of a member, "" when it is not there or no scalar.
std::string member_text(const Value& map, std::string_view name);

}  // namespace ros
