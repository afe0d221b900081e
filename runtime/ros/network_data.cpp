#include "runtime/ros/network_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "runtime/base/text.h"
#include "runtime/ros/network_tree.h"

namespace ros {
namespace {

const std::vector<Value>& items_of(const Value& map, std::string_view name) {
  static const std::vector<Value> none;
  const Value* list = map.find(name);
  return list ? list->items() : none;
}

// --- OpenStack -----------------------------------------------------------------

class OpenStack {
 public:
  OpenStack(const Value& document, std::vector<std::string>& problems)
      : document_(document), tree_(problems) {}

  Value read() && {
    // Bonds and VLANs name the links below them, which may stand behind them.
    for (const auto& link : items_of(document_, "links")) {
      const std::string type = member_text(link, "type");
      if (type != "bond" && type != "vlan") add(link, tree_.add_mac(mac_of(link)));
    }
    for (const auto& link : items_of(document_, "links")) {
      if (member_text(link, "type") == "bond") add_bond(link);
    }
    for (const auto& link : items_of(document_, "links")) {
      if (member_text(link, "type") == "vlan") add_vlan(link);
    }
    for (const auto& network : items_of(document_, "networks")) add_network(network);
    add_services(document_);
    return std::move(tree_).finish();
  }

 private:
  static std::string mac_of(const Value& link) { return member_text(link, "ethernet_mac_address"); }

  void add(const Value& link, const std::string& key) {
    keys_[member_text(link, "id")] = key;
    tree_.set_mtu(key, link.find("mtu"));
  }

  // The id of a link where it is a name, else one that is made up.
  std::string name_for(const Value& link, const std::string& otherwise) {
    const std::string id = member_text(link, "id");
    return is_interface_name(id) ? id : otherwise;
  }

  void add_bond(const Value& link) {
    const std::string name = tree_.add_interface(name_for(link, fmt::format("bond{}", bonds_++)));
    std::vector<Value::Member> options;
    for (const auto& member : link.members()) {
      if (member.first.starts_with("bond_")) options.push_back(member);
    }
    tree_.add_bond(name, options);
    for (const auto& member : items_of(link, "bond_links")) {
      tree_.set(keys_[member.text()], "bond", Value::scalar(name, false));
    }
    add(link, name);
  }

  void add_vlan(const Value& link) {
    const std::string id = member_text(link, "vlan_id");
    const std::string& parent = keys_[member_text(link, "vlan_link")];
    if (parent.empty()) {
      tree_.problem(fmt::format("VLAN {} is on no link of the document", id));
      return;
    }
    const std::string name = tree_.add_interface(name_for(link, "vlan" + id));
    tree_.add_vlan(parent, id, name);
    add(link, name);
  }

  void add_network(const Value& network) {
    const std::string link = member_text(network, "link");
    const std::string& key = keys_[link];
    if (key.empty()) {
      tree_.problem(fmt::format("a network is on \"{}\", which is no link of the document", link));
      return;
    }
    const std::string type = member_text(network, "type");
    if (type == "ipv4_dhcp") {
      tree_.use_dhcp(key);
    } else if (const auto address = member_text(network, "ip_address"); !address.empty()) {
      tree_.add_address(key, address, member_text(network, "netmask"));
    } else if (!type.starts_with("ipv6_") || !tree_.use_ipv6(key, type.substr(5))) {
      tree_.problem(fmt::format("a network of the type \"{}\" has no address", type));
    }
    for (const auto& route : items_of(network, "routes")) {
      tree_.add_route(key, member_text(route, "network"), member_text(route, "netmask"),
                      member_text(route, "gateway"));
    }
    tree_.add_gateway(key, member_text(network, "gateway"));
    if (const Value* servers = network.find("dns_nameservers"))
      tree_.add_name_servers(servers->as_texts());
    add_services(network);
  }

  void add_services(const Value& of) {
    for (const auto& service : items_of(of, "services")) {
      if (member_text(service, "type") == "dns")
        tree_.add_name_servers({member_text(service, "address")});
    }
  }

  const Value& document_;
  NetworkTree tree_;
  std::map<std::string, std::string> keys_;  // of links, by id
  int bonds_ = 0;
};

}  // namespace

Value network_of_openstack(const Value& document, std::vector<std::string>& problems) {
  return OpenStack{document, problems}.read();
}

// Each droplet has a public interface, some a private one; anchor addresses are
// what a reserved address is translated to.
Value network_of_digitalocean(const Value& metadata, std::vector<std::string>& problems) {
  NetworkTree tree{problems};
  for (const char* const kind : {"public", "private"}) {
    const Value* interfaces = metadata.find("interfaces");
    if (!interfaces) break;
    for (const auto& interface : items_of(*interfaces, kind)) {
      const std::string key = tree.add_mac(member_text(interface, "mac"));
      for (const char* const family : {"ipv4", "ipv6", "anchor_ipv4"}) {
        const Value* given = interface.find(family);
        if (!given || member_text(*given, "ip_address").empty()) continue;
        const std::string length = member_text(*given, "cidr");
        tree.add_address(key, member_text(*given, "ip_address"),
                         length.empty() ? member_text(*given, "netmask") : length);
        // The gateways of the others lead nowhere.
        const bool leads_out = std::string_view{kind} == "public" && family[0] == 'i';
        if (leads_out) tree.add_gateway(key, member_text(*given, "gateway"));
      }
    }
  }
  if (const Value* servers = metadata.find_path("dns.nameservers"))
    tree.add_name_servers(servers->as_texts());
  return std::move(tree).finish();
}

// The addresses are those of the machine: they belong to its bond, or to its
// first interface when it has none.
Value network_of_packet(const Value& metadata, std::vector<std::string>& problems) {
  NetworkTree tree{problems};
  const Value* network = metadata.find("network");
  if (!network) return {};
  std::string key;
  for (const auto& interface : items_of(*network, "interfaces")) {
    const std::string member = tree.add_mac(member_text(interface, "mac"));
    const std::string bond = member_text(interface, "bond");
    if (bond.empty() && key.empty()) key = member;
    if (bond.empty() || member.empty()) continue;
    const std::string master = tree.add_interface(bond);
    if (key.empty()) {
      key = master;
      const Value* mode = network->find_path("bonding.mode");
      std::vector<Value::Member> options{{"mode", Value::scalar(mode ? mode->text() : "4", false)},
                                         {"miimon", Value::scalar("100")},
                                         {"updelay", Value::scalar("200")},
                                         {"downdelay", Value::scalar("200")},
                                         {"xmit_hash_policy", Value::scalar("layer3+4", false)}};
      // The kernel takes it for 802.3ad only.
      if (options[0].second.text() == "4") options.emplace_back("lacp_rate", Value::scalar("1"));
      tree.add_bond(master, options);
    }
    tree.set(member, "bond", Value::scalar(master, false));
  }
  const auto& addresses = items_of(*network, "addresses");
  const auto is_public = [](const Value& address) {
    const Value* flag = address.find("public");
    return flag && flag->as_bool().value_or(false);
  };
  const bool any_public = std::any_of(addresses.begin(), addresses.end(), is_public);
  for (const auto& address : addresses) {
    const Value* enabled = address.find("enabled");
    if (enabled && !enabled->as_bool().value_or(true)) continue;
    const std::string gateway = member_text(address, "gateway");
    const std::string length = member_text(address, "cidr");
    tree.add_address(key, member_text(address, "address"),
                     length.empty() ? member_text(address, "netmask") : length);
    if (is_public(address) || !any_public) {
      tree.add_gateway(key, gateway);
    } else if (address_family(gateway) == address_family("10.0.0.0")) {
      tree.add_route(key, "10.0.0.0/8", {}, gateway);
    }
  }
  return std::move(tree).finish();
}

}  // namespace ros
