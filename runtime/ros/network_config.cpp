// cloud-init's network-config, both versions of it. They differ in that one has
// a list of devices and the other a map for each kind; keys that mean the same
// are spelled differently. A device of either goes through the same steps.
#include <fmt/format.h>

#include <map>

#include "runtime/base/text.h"
#include "runtime/ros/network_data.h"
#include "runtime/ros/network_tree.h"

namespace ros {
namespace {

std::vector<std::string> texts_of(const Value& map, std::string_view name) {
  const Value* member = map.find(name);
  return member ? member->as_texts() : std::vector<std::string>{};
}

const std::vector<Value::Member>& members_of(const Value& map, std::string_view name) {
  static const std::vector<Value::Member> none;
  const Value* member = map.find(name);
  return member ? member->members() : none;
}

// The first of several spellings that is there.
std::string text_of(const Value& map, std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    if (auto text = member_text(map, name); !text.empty()) return text;
  }
  return {};
}

bool flag_of(const Value& map, std::string_view name) {
  const Value* member = map.find(name);
  return member && member->as_bool().value_or(false);
}

class CloudInit {
 public:
  explicit CloudInit(std::vector<std::string>& problems) : tree_(problems) {}

  Value read_version_1(const Value& network) && {
    const Value* devices = network.find("config");
    static const std::vector<Value> none;
    const auto& all = devices ? devices->items() : none;
    for (const auto& device : all) add_device(device);
    // They name devices, wherever those stand.
    for (const auto& device : all) connect_device(device);
    for (const auto& device : all) add_global(device);
    return std::move(tree_).finish();
  }

  Value read_version_2(const Value& network) && {
    for (const auto& [id, device] : members_of(network, "ethernets")) {
      keys_[id] = ethernet_key(id, device);
    }
    for (const char* const kind : {"bonds", "bridges", "vlans"}) {
      for (const auto& member : members_of(network, kind)) {
        keys_[member.first] = tree_.add_interface(member.first);
      }
    }
    for (const auto& [id, device] : members_of(network, "bonds")) {
      tree_.add_bond(keys_[id], members_of(device, "parameters"));
      join(device, "interfaces", "bond", keys_[id]);
    }
    for (const auto& [id, device] : members_of(network, "bridges")) {
      tree_.set(keys_[id], "bridge", Value::boolean(true));
      join(device, "interfaces", "bridge", keys_[id]);
    }
    for (const auto& [id, device] : members_of(network, "vlans")) {
      tree_.add_vlan(key_of(member_text(device, "link")), member_text(device, "id"), keys_[id]);
    }
    for (const char* const kind : {"ethernets", "bonds", "bridges", "vlans"}) {
      for (const auto& [id, device] : members_of(network, kind)) add_settings(keys_[id], device);
    }
    for (const auto& [kind, devices] : network.members()) {
      const bool known = kind == "ethernets" || kind == "bonds" || kind == "bridges" ||
                         kind == "vlans" || kind == "version" || kind == "renderer";
      if (!known) tree_.problem(fmt::format("{} are not supported", kind));
    }
    return std::move(tree_).finish();
  }

 private:
  std::string key_of(const std::string& id) {
    const auto found = keys_.find(id);
    if (found != keys_.end()) return found->second;
    tree_.problem(fmt::format("\"{}\" is no device of the document", id));
    return {};
  }

  void join(const Value& device, const char* members, const char* as, const std::string& master) {
    if (master.empty()) return;
    for (const auto& member : texts_of(device, members))
      tree_.set(key_of(member), as, Value::scalar(master, false));
  }

  // --- version 1 ---

  void add_device(const Value& device) {
    const std::string type = member_text(device, "type");
    const std::string name = member_text(device, "name");
    const std::string mac = member_text(device, "mac_address");
    if (type == "physical") {
      keys_[name] = mac.empty() ? tree_.add_interface(name) : tree_.add_mac(mac);
    } else if (type == "bond" || type == "bridge" || type == "vlan") {
      keys_[name] = tree_.add_interface(name);
    } else if (type != "nameserver" && type != "route" && type != "loopback") {
      tree_.problem(fmt::format("a device of the type \"{}\" is not supported", type));
    }
  }

  void connect_device(const Value& device) {
    const std::string type = member_text(device, "type");
    const auto found = keys_.find(member_text(device, "name"));
    if (found == keys_.end()) return;
    const std::string& key = found->second;
    if (type == "bond") {
      tree_.add_bond(key, members_of(device, "params"));
      join(device, "bond_interfaces", "bond", key);
    } else if (type == "bridge") {
      tree_.set(key, "bridge", Value::boolean(true));
      join(device, "bridge_interfaces", "bridge", key);
    } else if (type == "vlan") {
      tree_.add_vlan(key_of(member_text(device, "vlan_link")), member_text(device, "vlan_id"), key);
    }
    tree_.set_mtu(key, device.find("mtu"));
    const Value* subnets = device.find("subnets");
    if (!subnets) return;
    for (const auto& subnet : subnets->items()) add_subnet(key, subnet);
  }

  void add_subnet(const std::string& key, const Value& subnet) {
    const std::string type = member_text(subnet, "type");
    if (type == "dhcp" || type == "dhcp4") {
      tree_.use_dhcp(key);
    } else if (type.starts_with("static")) {
      tree_.add_address(key, member_text(subnet, "address"), member_text(subnet, "netmask"));
    } else if (type != "manual" &&
               !tree_.use_ipv6(key, type.starts_with("ipv6_") ? type.substr(5) : type)) {
      tree_.problem(fmt::format("a subnet of the type \"{}\" is not supported", type));
    }
    tree_.add_gateway(key, member_text(subnet, "gateway"));
    tree_.add_name_servers(texts_of(subnet, "dns_nameservers"));
    tree_.add_search(texts_of(subnet, "dns_search"));
    const Value* routes = subnet.find("routes");
    if (!routes) return;
    for (const auto& route : routes->items()) add_route_1(key, route);
  }

  void add_route_1(const std::string& key, const Value& route) {
    tree_.add_route(key, text_of(route, {"destination", "network"}), member_text(route, "netmask"),
                    member_text(route, "gateway"), member_text(route, "metric"));
  }

  void add_global(const Value& device) {
    const std::string type = member_text(device, "type");
    if (type == "nameserver") {
      tree_.add_name_servers(texts_of(device, "address"));
      tree_.add_search(texts_of(device, "search"));
    } else if (type == "route") {
      const std::string gateway = member_text(device, "gateway");
      const std::string key = tree_.reaching(gateway);
      if (key.empty()) {
        tree_.problem(fmt::format("no interface reaches the gateway \"{}\"", gateway));
      } else {
        add_route_1(key, device);
      }
    }
  }

  // --- version 2 ---

  std::string ethernet_key(const std::string& id, const Value& device) {
    const Value* match = device.find("match");
    if (!match) return tree_.add_interface(id);
    if (const auto mac = member_text(*match, "macaddress"); !mac.empty()) return tree_.add_mac(mac);
    if (const auto name = member_text(*match, "name"); !name.empty())
      return tree_.add_interface(name);
    tree_.problem(fmt::format("{}: it matches by neither macaddress nor name", id));
    return {};
  }

  void add_settings(const std::string& key, const Value& device) {
    if (flag_of(device, "dhcp4")) tree_.use_dhcp(key);
    if (flag_of(device, "dhcp6")) tree_.use_ipv6(key, "dhcp6");
    if (device.find("accept-ra"))
      tree_.set(key, "accept_ra", Value::boolean(flag_of(device, "accept-ra")));
    tree_.set_mtu(key, device.find("mtu"));
    if (const Value* addresses = device.find("addresses")) {
      for (const auto& address : addresses->items()) {
        // One with options is a map of one member.
        const auto& options = address.members();
        tree_.add_address(key, options.empty() ? address.text() : options[0].first);
      }
    }
    tree_.add_gateway(key, member_text(device, "gateway4"));
    tree_.add_gateway(key, member_text(device, "gateway6"));
    if (const Value* servers = device.find("nameservers")) {
      tree_.add_name_servers(texts_of(*servers, "addresses"));
      tree_.add_search(texts_of(*servers, "search"));
    }
    const Value* routes = device.find("routes");
    if (!routes) return;
    for (const auto& route : routes->items()) {
      tree_.add_route(key, member_text(route, "to"), {}, member_text(route, "via"),
                      member_text(route, "metric"));
    }
  }

  NetworkTree tree_;
  std::map<std::string, std::string> keys_;  // of devices, by the names they have here
};

}  // namespace

Value network_of_cloud_init(const Value& document, std::vector<std::string>& problems) {
  const Value* inner = document.find("network");
  const Value& network = inner ? *inner : document;
  if (network.is_null()) return {};
  const std::string version = member_text(network, "version");
  if (member_text(network, "config") == "disabled") return {};
  if (version == "1") return CloudInit{problems}.read_version_1(network);
  if (version == "2") return CloudInit{problems}.read_version_2(network);
  problems.push_back("it has no version 1 or 2");
  return {};
}

}  // namespace ros
