// The order: links are made (bonds and bridges, then VLANs, whose parents must be
// there), then each is set up in the order lo, cards, bonds, bridges, VLANs.
#include "runtime/ros/net_plan.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <strings.h>

#include <algorithm>
#include <map>
#include <set>

#include "runtime/base/text.h"
#include "runtime/ros/net_address.h"

namespace ros {
namespace {

constexpr std::size_t kLongestName = 15;  // IFNAMSIZ - 1

using Kind = Operation::Kind;

std::string text_of(const Value& settings, const char* key) {
  const Value* member = settings.find(key);
  return member ? member->text() : std::string{};
}

// `bridge: true` means that it is one, `bridge: br0` that it joins one.
bool is_bridge(const Value& settings) {
  const Value* value = settings.find("bridge");
  return value && value->as_bool().value_or(false);
}

std::string master_of(const Value& settings) {
  if (const auto bond = text_of(settings, "bond"); !bond.empty()) return bond;
  const Value* bridge = settings.find("bridge");
  return bridge && !bridge->as_bool() ? bridge->text() : std::string{};
}

// What an entry matches: "mac:…" or "mac=…", a name or a pattern.
std::string matcher_of(const std::string& key, const Value& settings) {
  if (const auto match = text_of(settings, "match"); !match.empty()) return match;
  if (const auto mac = text_of(settings, "mac"); !mac.empty()) return "mac:" + mac;
  return key;
}

bool is_pattern(const std::string& matcher) {
  return matcher.find_first_of("*?[") != std::string::npos;
}
bool means_mac(const std::string& matcher) {
  return matcher.starts_with("mac:") || matcher.starts_with("mac=");
}

bool made_by_engine(const std::string& name) {
  return name.starts_with("docker") || name.starts_with("veth") || name.starts_with("br-");
}

enum class Match { none, pattern, name, mac };

Match match(const std::string& matcher, const Link& link) {
  if (means_mac(matcher)) {
    // These have the address of a card that is meant itself.
    if (link.kind == "vlan" || link.kind == "bond" || link.kind == "bridge") return Match::none;
    const std::string mac = matcher.substr(4);
    if (::strcasecmp(mac.c_str(), link.mac.c_str()) == 0) return Match::mac;
    return ::fnmatch(mac.c_str(), link.mac.c_str(), FNM_CASEFOLD) == 0 ? Match::pattern
                                                                       : Match::none;
  }
  if (matcher == link.name) return Match::name;
  if (link.name == "lo" || made_by_engine(link.name)) return Match::none;
  return ::fnmatch(matcher.c_str(), link.name.c_str(), 0) == 0 ? Match::pattern : Match::none;
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

  void problem(const Value& where, std::string what, std::string advice = {}) {
    Error error = Error{std::move(what), Error::Kind::input}.at(where.position());
    if (!advice.empty()) static_cast<void>(std::move(error).hint(std::move(advice)));
    plan_.problems.push_back(std::move(error));
  }

  bool good_name(const Value& where, const std::string& name) {
    const bool good = !name.empty() && name.size() <= kLongestName && name != "." && name != ".." &&
                      name.find_first_of("/: \t\n") == std::string::npos;
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
      if ((bond || is_bridge(settings)) && !is_pattern(name) && !means_mac(name)) {
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
      const char* kind = text_of(*settings, "bond").empty() ? "bridge" : "bond";
      if (!made_.contains(master) && !present(master))
        make(master, kind, fmt::format("link add dev {} type {}", master, kind));
    }
  }

  void make_vlans(const Link& parent) {
    const Value* settings = find_settings(*table_, parent);
    const Value* vlans = settings ? settings->find("vlans") : nullptr;
    if (!vlans) return;
    // `eth*` matches eth0.100 too, which must not get a VLAN 100 of its own.
    const bool exact = text_of(*settings, "mac").empty() && table_->find(parent.name) == settings;
    if (parent.kind == "vlan" && !exact) return;
    for (const auto& list : vlans->as_texts()) {
      for (const auto& item : split(list, ',')) {
        if (trim(item).empty()) continue;
        const auto parts = split(trim(item), ':');
        const auto id = Value::scalar(parts[0]).as_int();
        if (!id || *id < 1 || *id > 4094 || parts.size() > 2) {
          problem(*vlans, fmt::format("vlans of {}: {} is no VLAN", parent.name, quote(trim(item))),
                  "write ID or ID:NAME, the ID from 1 to 4094");
          continue;
        }
        const std::string child =
            parts.size() > 1 ? parts[1] : fmt::format("{}.{}", parent.name, *id);
        if (!good_name(*vlans, child)) continue;
        make(child, "vlan",
             fmt::format("link add link {} name {} type vlan id {}", parent.name, child, *id));
      }
    }
  }

  const Link* present(const std::string& name) const {
    for (const Link& link : present_) {
      if (link.name == name) return &link;
    }
    return nullptr;
  }

  void add(const Link& link) {
    const Value* found = find_settings(*table_, link);
    const auto made = made_.find(link.name);
    if (!found && made == made_.end()) return;
    Interface interface;
    interface.name = link.name;
    interface.settings = with_wifi(found ? *found : Value::map());
    if (made != made_.end()) interface.made = made->second;
    const Value& settings = interface.settings;
    auto& steps = interface.set_up;
    const auto ip = [&](const std::string& line) { steps.push_back({Kind::ip, words(line)}); };

    if (!interface.made.empty() && !present(link.name)) {
      interface.make.push_back({Kind::ip, words(interface.made)});
      set_bond_options(interface);
    }
    for (auto& step : commands_of(settings.find("pre_up"), link.name)) steps.push_back(step);
    const std::string master = master_of(settings);
    if (!master.empty() && master != link.master) {
      ip(fmt::format("link set dev {} down", link.name));  // the kernel's condition for a bond
      ip(fmt::format("link set dev {} master {}", link.name, master));
    }
    if (const Value* mtu = settings.find("mtu")) {
      const auto size = mtu->as_int().value_or(0);
      if (size >= 68 && size <= 65536) {  // RFC 791; the loopback's
        ip(fmt::format("link set dev {} mtu {}", link.name, size));
      } else {
        problem(*mtu, fmt::format("mtu of {}: {} is not possible", link.name, mtu->text()),
                "a number from 68 to 65536");
      }
    }
    if (const Value* accept = settings.find("accept_ra")) {
      steps.push_back({Kind::write,
                       {fmt::format("/proc/sys/net/ipv6/conf/{}/accept_ra", link.name),
                        accept->as_bool().value_or(true) ? "1" : "0"}});
    }
    ip(fmt::format("link set dev {} up", link.name));
    interface.asks = asks(link, settings);
    if (master.empty()) {
      set_addresses(interface);
    } else if (const Value* address = settings.find("address")) {
      problem(*address,
              fmt::format("{} is part of {} and has no address of its own", link.name, master),
              fmt::format("give the address to {}", master));
    }
    interface.post_up = commands_of(settings.find("post_up"), link.name);
    plan_.interfaces.push_back(std::move(interface));
  }

  // A wireless network may have a fixed address of its own.
  Value with_wifi(Value settings) const {
    const std::string name = text_of(settings, "wifi_network");
    const Value* networks = config_.find("rancher.network.wifi_networks");
    const Value* network = networks && !name.empty() ? networks->find(name) : nullptr;
    if (network && !text_of(*network, "address").empty()) {
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

  static void set_bond_options(Interface& interface) {
    const Value* options = interface.settings.find("bond_opts");
    if (!options) return;
    const std::string folder = "/sys/class/net/" + interface.name + "/bonding/";
    auto pairs = as_pairs(*options);
    // The others depend on the mode (bonding.rst of the kernel).
    std::stable_partition(pairs.begin(), pairs.end(),
                          [](const auto& pair) { return pair.first == "mode"; });
    for (const auto& [name, value] : pairs) {
      interface.make.push_back({Kind::write, {folder + name, value}});
    }
  }

  void set_addresses(Interface& interface) {
    const Value& settings = interface.settings;
    std::vector<NetAddress> own;
    const auto set = [&](const Value& where, const std::string& text) {
      const auto address = parse_address(text);
      if (!address || address->bits < 0) {
        return problem(where, fmt::format("address of {}: {} is none", interface.name, quote(text)),
                       "write ADDRESS/BITS, such as 192.0.2.10/24 or 2001:db8::10/64");
      }
      own.push_back(*address);
      const bool has_broadcast = !address->v6 && address->bits < 31 && interface.name != "lo";
      interface.set_up.push_back(
          {Kind::ip, words(fmt::format("address replace {} {}dev {}", text,
                                       has_broadcast ? "broadcast + " : "", interface.name))});
    };
    for (const char* key : {"address", "addresses"}) {
      const Value* value = settings.find(key);
      if (!value) continue;
      for (const auto& text : value->as_texts()) {
        if (!text.empty()) set(*value, text);
      }
    }
    for (const char* key : {"gateway", "gateway_ipv6"}) {
      const Value* value = settings.find(key);
      if (value && !value->text().empty())
        route(interface, own, *value, "default", value->text(), text_of(settings, "metric"));
    }
    const Value* routes = settings.find("routes");
    if (!routes) return;
    for (const Value& item : routes->items()) {
      std::string metric = text_of(item, "metric");
      if (metric.empty()) metric = text_of(settings, "metric");
      route(interface, own, item, text_of(item, "to"), text_of(item, "via"), metric);
    }
  }

  void route(Interface& interface, const std::vector<NetAddress>& own, const Value& where,
             const std::string& to, const std::string& via, const std::string& metric) {
    const auto target = parse_address(to);
    const auto gateway = parse_address(via);
    const bool anywhere = to == "default";
    if ((!anywhere && !target) || (!via.empty() && (!gateway || gateway->bits >= 0)) ||
        (anywhere && !gateway) || (target && gateway && target->v6 != gateway->v6)) {
      return problem(
          where,
          fmt::format("route of {}: to {} via {} is none", interface.name, quote(to), quote(via)),
          "a gateway is a plain address; routes are {to: NETWORK/BITS or default, "
          "via: ADDRESS, metric: NUMBER}");
    }
    const auto number = Value::scalar(metric).as_int();
    if (!metric.empty() && (!number || *number < 0 || *number > 0xffffffffLL)) {
      return problem(where, fmt::format("metric of {}: {} is none", interface.name, quote(metric)),
                     "a whole number; the smallest is preferred");
    }
    const bool v6 = gateway ? gateway->v6 : target->v6;
    if (!routes_.insert(fmt::format("{} {} {}", v6, to, metric)).second) {
      return problem(
          where,
          fmt::format("{} has the same route to {} as another interface", interface.name, to),
          "give one of them a metric; the smallest is preferred");
    }
    std::string line = fmt::format("route replace {}", to);
    if (anywhere && v6) line = "route replace ::/0";
    if (gateway) line += " via " + via;
    line += " dev " + interface.name;
    if (!metric.empty()) line += " metric " + metric;
    // A gateway outside of our own subnets (usual for /32) is still on this link.
    const bool link_local = gateway && gateway->v6 && via.starts_with("fe80:");
    if (gateway && !link_local &&
        std::none_of(own.begin(), own.end(), [&](const auto& a) { return a.covers(*gateway); })) {
      line += " onlink";
    }
    interface.set_up.push_back({Kind::ip, words(line)});
  }

  const Config& config_;
  const std::vector<Link>& present_;
  std::vector<Link> links_;
  const Value* table_;
  std::map<std::string, std::string> made_;  // name -> line that makes it
  std::set<std::string> routes_;
  NetworkPlan plan_;
};

}  // namespace

std::vector<Link> present_links(const fs::path& root) {
  std::vector<Link> links;
  boost::system::error_code ignored;
  for (fs::directory_iterator it{root / "sys/class/net", ignored}, end; it != end;
       it.increment(ignored)) {
    const auto read = [&](const char* file) {
      return std::string{trim(try_read_file(it->path() / file).value_or(""))};
    };
    Link link;
    link.name = it->path().filename().string();
    if (!fs::is_directory(it->path(), ignored)) continue;  // bonding_masters
    link.mac = read("bonding_slave/perm_hwaddr");
    if (link.mac.empty()) link.mac = read("address");
    for (const auto& line : split(read("uevent"), '\n')) {
      if (line.starts_with("DEVTYPE=")) link.kind = line.substr(8);
    }
    const fs::path master = fs::read_symlink(it->path() / "master", ignored);
    link.master = master.filename().string();
    link.index = static_cast<int>(Value::scalar(read("ifindex")).as_int().value_or(0));
    if (link.index == 0) continue;  // it is just going
    links.push_back(std::move(link));
  }
  return links;
}

const Value* find_settings(const Value& table, const Link& link) {
  const Value* best = nullptr;
  std::pair<Match, std::size_t> weight{Match::none, 0};
  for (const auto& [key, settings] : table.members()) {
    const std::string matcher = matcher_of(key, settings);
    const std::pair found{match(matcher, link), matcher.size()};
    if (found.first == Match::none || found <= weight) continue;
    best = &settings;
    weight = found;
  }
  return best;
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
