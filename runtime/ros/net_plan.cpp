// The order: links are made (bonds and bridges, then VLANs, whose parents must be
// there), then each is set up in the order lo, cards, bonds, bridges, VLANs.
#include "runtime/ros/net_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "runtime/base/text.h"
#include "runtime/ros/net_addressing.h"
#include "runtime/ros/network_tree.h"

namespace ros {
namespace {

constexpr std::size_t kLongestName = 15;  // IFNAMSIZ - 1

using Kind = Operation::Kind;

// `bridge: true` means that it is one, `bridge: br0` that it joins one.
bool is_bridge(const Value& settings) {
  const Value* value = settings.find("bridge");
  return value && value->as_bool().value_or(false);
}

std::string master_of(const Value& settings) {
  if (const auto bond = member_text(settings, "bond"); !bond.empty()) return bond;
  const Value* bridge = settings.find("bridge");
  return bridge && !bridge->as_bool() ? bridge->text() : std::string{};
}

const Value& usual_table() {
  static const Value table = parse_yaml("eth*: {dhcp: true}", "built in");
  return table;
}

// Makes the plan; its members are what the steps share.
class Planner {
 public:
  Planner(const Config& config, const std::vector<Link>& present)
      : config_(config), present_(present), links_(present) {
    const Value* table = config.find("rancher.network.interfaces");
    table_ = table && !table->members().empty() ? table : &usual_table();
  }

  NetworkPlan plan() {
    make_masters();
    std::stable_sort(links_.begin(), links_.end(), [](const Link& a, const Link& b) {
      return std::pair{rank(a), a.name} < std::pair{rank(b), b.name};
    });
    // The list grows while VLANs are found, so that a VLAN may be the parent of another.
    for (std::size_t i = 0; i < links_.size(); ++i) make_vlans(Link{links_[i]});
    for (const Link& link : links_) add(link);
    return std::move(plan_);
  }

 private:
  static int rank(const Link& link) {
    if (link.name == "lo") return 0;
    if (link.kind == "bond") return 2;
    if (link.kind == "bridge") return 3;
    return link.kind == "vlan" ? 4 : 1;
  }

  void problem(const Value& where, std::string what, std::string advice) {
    plan_.problems.push_back(mistake(where, std::move(what), std::move(advice)));
  }

  bool good_name(const Value& where, const std::string& name) {
    const bool good = !name.empty() && name.size() <= kLongestName && name != "." && name != ".." &&
                      std::ranges::none_of(name, [](unsigned char c) {
                        return c <= ' ' || c == 127 || c == '/' || c == ':';
                      });
    if (!good) {
      problem(where, fmt::format("{} cannot be the name of an interface", quote(name)),
              "at most 15 characters, no blanks, colons or slashes");
    }
    return good;
  }

  // Remembers how a virtual link is made and makes it known to the steps that follow.
  void make(const std::string& name, const std::string& kind, const std::string& line) {
    made_[name] = line;
    if (std::none_of(links_.begin(), links_.end(),
                     [&](const Link& link) { return link.name == name; })) {
      links_.push_back({name, "", kind, ""});
    }
  }

  void make_masters() {
    for (const auto& [key, settings] : table_->members()) {
      const std::string name = matcher_of(key, settings);
      const bool bond = settings.find("bond_opts");
      if ((bond || is_bridge(settings)) && is_name(name)) {
        const char* kind = bond ? "bond" : "bridge";
        if (good_name(settings, name))
          make(name, kind, fmt::format("link add dev {} type {}", name, kind));
      }
    }
    // One that members name and nobody describes.
    for (const Link& link : std::vector<Link>{links_}) {
      const Value* settings = find_settings(*table_, link);
      const std::string master = settings ? master_of(*settings) : "";
      if (master.empty() || !good_name(*settings, master)) continue;
      const char* kind = member_text(*settings, "bond").empty() ? "bridge" : "bond";
      if (!made_.contains(master) && !present(master))
        make(master, kind, fmt::format("link add dev {} type {}", master, kind));
    }
  }

  void make_vlans(const Link& parent) {
    const Value* settings = find_settings(*table_, parent);
    const Value* vlans = settings ? settings->find("vlans") : nullptr;
    if (!vlans) return;
    // `eth*` matches eth0.100 too, which must not get a VLAN 100 of its own.
    const bool exact =
        member_text(*settings, "mac").empty() && table_->find(parent.name) == settings;
    if (parent.kind == "vlan" && !exact) return;
    for (const auto& list : vlans->as_texts()) {
      for (const auto& item : split(list, ',')) {
        if (!trim(item).empty()) make_vlan(parent, *vlans, std::string{trim(item)});
      }
    }
  }

  // `item` is ID or ID:NAME.
  void make_vlan(const Link& parent, const Value& where, const std::string& item) {
    const auto parts = split(item, ':');
    const auto id = Value::scalar(parts[0]).as_int();
    if (!id || *id < 1 || *id > 4094 || parts.size() > 2) {
      return problem(where, fmt::format("vlans of {}: {} is no VLAN", parent.name, quote(item)),
                     "write ID or ID:NAME, the ID from 1 to 4094");
    }
    const std::string child = parts.size() > 1 ? parts[1] : fmt::format("{}.{}", parent.name, *id);
    if (!good_name(where, child)) return;
    make(child, "vlan",
         fmt::format("link add link {} name {} type vlan id {}", parent.name, child, *id));
  }

  const Link* present(const std::string& name) const {
    for (const Link& link : present_) {
      if (link.name == name) return &link;
    }
    return nullptr;
  }

  // Nothing for an interface that is not ours to touch.
  std::optional<Value> settings_for(const Link& link) const {
    if (const Value* found = find_settings(*table_, link)) return with_wifi(*found);
    if (made_.contains(link.name)) return Value::map();
    // One that a modem is named for needs no other entry to ask for its address.
    const Value* modems = config_.find("rancher.network.modem_networks");
    if (!modems || !modems->find(link.name)) return std::nullopt;
    Value settings = Value::map();
    settings.set("dhcp", Value::scalar("true"));
    return settings;
  }

  void add(const Link& link) {
    auto found = settings_for(link);
    if (!found) return;
    Interface interface;
    interface.name = link.name;
    interface.settings = std::move(*found);
    const auto made = made_.find(link.name);
    if (made != made_.end()) interface.made = made->second;
    const Value& settings = interface.settings;
    if (!interface.made.empty() && !present(link.name)) {
      interface.make.push_back({Kind::ip, words(interface.made)});
      set_bond_options(interface);
    }
    interface.asks = asks(link, settings);
    interface.set_up = commands_of(settings.find("pre_up"), link.name);
    set_link(link, interface);
    const std::string master = master_of(settings);
    if (master.empty()) {
      addressing_.add(interface);
    } else if (const Value* address = settings.find("address")) {
      problem(*address,
              fmt::format("{} is part of {} and has no address of its own", link.name, master),
              fmt::format("give the address to {}", master));
    }
    interface.post_up = commands_of(settings.find("post_up"), link.name);
    plan_.interfaces.push_back(std::move(interface));
  }

  // What it is part of, its MTU, whether it heeds routers; then up.
  void set_link(const Link& link, Interface& interface) {
    const auto ip = [&](const std::string& line) {
      interface.set_up.push_back({Kind::ip, words("link set dev " + link.name + " " + line)});
    };
    const std::string master = master_of(interface.settings);
    if (!master.empty() && master != link.master) {
      ip("down");  // the kernel's condition for a bond
      ip("master " + master);
    }
    if (const Value* mtu = interface.settings.find("mtu")) {
      const auto size = mtu->as_int().value_or(0);
      if (size >= 68 && size <= 65536) {  // RFC 791; the loopback's
        ip(fmt::format("mtu {}", size));
      } else {
        problem(*mtu, fmt::format("mtu of {}: {} is not possible", link.name, mtu->text()),
                "a number from 68 to 65536");
      }
    }
    if (const Value* accept = interface.settings.find("accept_ra")) {
      interface.set_up.push_back({Kind::write,
                                  {fmt::format("/proc/sys/net/ipv6/conf/{}/accept_ra", link.name),
                                   accept->as_bool().value_or(true) ? "1" : "0"}});
    }
    ip("up");
  }

  // A wireless network may have a fixed address of its own.
  Value with_wifi(Value settings) const {
    const std::string name = member_text(settings, "wifi_network");
    const Value* networks = config_.find("rancher.network.wifi_networks");
    const Value* network = networks && !name.empty() ? networks->find(name) : nullptr;
    if (network && !member_text(*network, "address").empty()) {
      for (const char* key : {"address", "gateway"}) {
        if (const Value* value = network->find(key)) settings.set(key, *value);
      }
    }
    return settings;
  }

  static bool asks(const Link& link, const Value& settings) {
    if (link.name == "lo" || !master_of(settings).empty()) return false;
    bool addressed = false;
    for (const char* key : {"dhcp", "dhcp6", "ipv4ll", "accept_ra"}) {
      const Value* value = settings.find(key);
      if (value && value->as_bool().value_or(false)) return true;
      addressed = addressed || value;
    }
    for (const char* key : {"address", "addresses", "bridge", "bond_opts", "vlans"}) {
      addressed = addressed || settings.find(key);
    }
    // An entry that only sets an MTU, say, does not mean a card that cannot be reached.
    return !addressed && rank(link) == 1;
  }

  // A file below /sys, so nothing that leads elsewhere.
  static bool is_bond_option(const std::string& name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
  }

  void set_bond_options(Interface& interface) {
    const Value* options = interface.settings.find("bond_opts");
    if (!options) return;
    const std::string folder = "/sys/class/net/" + interface.name + "/bonding/";
    auto pairs = as_pairs(*options);
    // The others depend on the mode (bonding.rst of the kernel).
    std::stable_partition(pairs.begin(), pairs.end(),
                          [](const auto& pair) { return pair.first == "mode"; });
    for (const auto& [name, value] : pairs) {
      if (is_bond_option(name)) {
        interface.make.push_back({Kind::write, {folder + name, value}});
      } else {
        problem(*options, fmt::format("{} cannot be an option of a bond", quote(name)),
                "the kernel's bonding.rst has them: mode, miimon, …");
      }
    }
  }

  const Config& config_;
  const std::vector<Link>& present_;
  std::vector<Link> links_;
  const Value* table_;
  std::map<std::string, std::string> made_;  // name -> line that makes it
  NetworkPlan plan_;
  Addressing addressing_{plan_.problems};
};

}  // namespace

Error mistake(const Value& where, std::string what, std::string advice) {
  Error error = Error{std::move(what), Error::Kind::input}.at(where.position());
  if (!advice.empty()) static_cast<void>(std::move(error).hint(std::move(advice)));
  return error;
}

Operations commands_of(const Value* list, const std::string& interface) {
  Operations commands;
  if (!list) return commands;
  for (const auto& item : list->items()) {
    auto argv =
        item.is_list() ? item.as_texts() : std::vector<std::string>{"/bin/sh", "-c", item.text()};
    for (auto& word : argv) word = replace_all(word, "$iface", interface);
    if (!argv.empty() && !argv.back().empty())
      commands.push_back({Operation::Kind::command, std::move(argv)});
  }
  return commands;
}

Operations undo(const std::string& name, bool made) {
  if (made) return {{Kind::ip, {"link", "delete", "dev", name}}};
  return {{Kind::ip, {"link", "set", "dev", name, "down"}},
          {Kind::ip, {"link", "set", "dev", name, "nomaster"}},
          {Kind::ip, {"address", "flush", "dev", name}}};
}

NetworkPlan plan_network(const Config& config, const std::vector<Link>& present) {
  return Planner{config, present}.plan();
}

}  // namespace ros
