#include "runtime/ros/network_tree.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "runtime/base/text.h"
#include "runtime/ros/mime.h"
#include "runtime/ros/net_address.h"

namespace ros {
namespace {

// An address as bytes, with the length of its network.
struct Prefix {
  std::string bytes;  // 4 or 16
  int length = 0;
};

std::optional<int> number(std::string_view text, int least, int most) {
  int value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = code == std::errc{} && end == text.data() + text.size();
  return whole && value >= least && value <= most ? std::optional{value} : std::nullopt;
}

std::string text_of(const std::string& bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

bool bit(const std::string& bytes, int i) {
  return (static_cast<unsigned char>(bytes[static_cast<std::size_t>(i / 8)]) >> (7 - i % 8) & 1) !=
         0;
}

// The length of a network given as a number or as a mask of ones before zeros.
std::optional<int> length_of(std::string_view mask, int most) {
  if (const auto length = number(mask, 0, most)) return length;
  const std::string bytes = address_bytes(mask);
  if (static_cast<int>(bytes.size()) * 8 != most) return std::nullopt;
  int length = 0;
  while (length < most && bit(bytes, length)) ++length;
  for (int i = length; i < most; ++i) {
    if (bit(bytes, i)) return std::nullopt;
  }
  return length;
}

std::optional<Prefix> parse_prefix(std::string_view address, std::string_view mask) {
  address = trim(address);
  mask = trim(mask);
  if (const auto slash = address.find('/'); slash != std::string_view::npos) {
    mask = address.substr(slash + 1);
    address = address.substr(0, slash);
  }
  Prefix prefix{address_bytes(address), 0};
  if (prefix.bytes.empty()) return std::nullopt;
  const int most = static_cast<int>(prefix.bytes.size()) * 8;
  const auto length = mask.empty() ? std::optional{most} : length_of(mask, most);
  if (!length) return std::nullopt;
  prefix.length = *length;
  return prefix;
}

bool contains(const Prefix& network, const std::string& address) {
  if (network.bytes.size() != address.size()) return false;
  for (int i = 0; i < network.length; ++i) {
    if (bit(network.bytes, i) != bit(address, i)) return false;
  }
  return true;
}

bool is_private(const std::string& bytes) {
  static const std::vector<Prefix> ranges{
      *parse_prefix("10.0.0.0/8", {}), *parse_prefix("172.16.0.0/12", {}),
      *parse_prefix("192.168.0.0/16", {}), *parse_prefix("fc00::/7", {})};
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Prefix& range) { return contains(range, bytes); });
}

void append(Value& settings, std::string_view name, Value item) {
  const Value* before = settings.find(name);
  Value list = before && before->is_list() ? *before : Value::list();
  list.items().push_back(std::move(item));
  settings.set(name, std::move(list));
}

// What the kernel calls an option that documents call bond-lacp-rate or lacp-rate
// (Documentation/networking/bonding.rst; the long names are netplan's).
std::string bond_option(std::string_view name) {
  std::string option = replace_all(lower_case(name), "-", "_");
  if (option.starts_with("bond_")) option.erase(0, 5);
  static const std::vector<std::pair<std::string_view, std::string_view>> others{
      {"mii_monitor_interval", "miimon"},
      {"transmit_hash_policy", "xmit_hash_policy"},
      {"up_delay", "updelay"},
      {"down_delay", "downdelay"},
      {"arp_ip_targets", "arp_ip_target"},
      {"fail_over_mac_policy", "fail_over_mac"},
      {"gratuitous_arp", "num_grat_arp"},
      {"primary_reselect_policy", "primary_reselect"},
      {"learn_packet_interval", "lp_interval"}};
  for (const auto& [long_name, short_name] : others) {
    if (option == long_name) return std::string{short_name};
  }
  return option;
}

// Goes to sysfs or to ip(8) as one word.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view{"_+.:,-"}.find(c) != std::string_view::npos;
  });
}

}  // namespace

bool is_interface_name(std::string_view name) {
  return name.size() <= 15 && is_word(name) && name != "." && name != ".." && name.front() != '-' &&
         name.find_first_of(":,+") == std::string_view::npos;
}

int address_family(std::string_view address) {
  const std::string bytes = address_bytes(trim(address));
  return bytes.empty() ? AF_UNSPEC : bytes.size() == 4 ? AF_INET : AF_INET6;
}

std::string member_text(const Value& map, std::string_view name) {
  const Value* member = map.find(name);
  return member ? member->text() : std::string{};
}

std::string NetworkTree::add_interface(std::string_view key) {
  std::string name{trim(key)};
  // A pattern has to be a name once its * and ? are letters.
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '*' || c == '?'; }, 'x');
  if (is_interface_name(name)) return ensure(std::string{trim(key)});
  problem(fmt::format("\"{}\" is no name of an interface", trim(key)));
  return {};
}

std::string NetworkTree::add_mac(std::string_view text) {
  const std::string mac = replace_all(lower_case(trim(text)), "-", ":");
  bool good = mac.size() == 17;
  for (std::size_t i = 0; good && i < mac.size(); ++i) {
    good = i % 3 == 2 ? mac[i] == ':' : std::isxdigit(static_cast<unsigned char>(mac[i])) != 0;
  }
  if (good) return ensure("mac=" + mac);
  problem(fmt::format("\"{}\" is no hardware address", trim(text)));
  return {};
}

std::string NetworkTree::ensure(std::string key) {
  if (!interfaces_.find(key)) {
    Value settings = Value::map();
    settings.set("dhcp", Value::boolean(false));
    interfaces_.set(key, std::move(settings));
  }
  return key;
}

bool NetworkTree::use_ipv6(const std::string& key, std::string_view how) {
  const bool asks = how == "dhcp6" || how == "dhcp" || how == "dhcpv6-stateful";
  if (!asks && how != "slaac" && how != "dhcpv6-stateless") return false;
  set(key, asks ? "dhcp6" : "accept_ra", Value::boolean(true));
  return true;
}

Value* NetworkTree::settings_of(const std::string& key) {
  for (auto& [name, settings] : interfaces_.members()) {
    if (name == key) return &settings;
  }
  return nullptr;
}

void NetworkTree::set(const std::string& key, std::string_view setting, Value value) {
  if (Value* settings = settings_of(key)) settings->set(setting, std::move(value));
}

void NetworkTree::set_mtu(const std::string& key, const Value* mtu) {
  if (!mtu || mtu->text().empty()) return;
  if (number(mtu->text(), 68, 65536)) {  // RFC 791 asks for 68
    set(key, "mtu", Value::scalar(mtu->text()));
  } else {
    problem(fmt::format("\"{}\" is no MTU", mtu->text()));
  }
}

std::string NetworkTree::with_length(std::string_view address, std::string_view mask) {
  const auto prefix = parse_prefix(address, mask);
  if (prefix) return fmt::format("{}/{}", text_of(prefix->bytes), prefix->length);
  problem(fmt::format("\"{}\" {} is no address", address, mask));
  return {};
}

void NetworkTree::add_address(const std::string& key, std::string_view address,
                              std::string_view mask) {
  Value* settings = settings_of(key);
  if (!settings) return;
  const std::string text = with_length(address, mask);
  if (!text.empty()) append(*settings, "addresses", Value::scalar(text, false));
}

void NetworkTree::add_gateway(const std::string& key, std::string_view gateway) {
  if (!trim(gateway).empty()) add_route(key, "default", {}, gateway);
}

void NetworkTree::add_route(const std::string& key, std::string_view to, std::string_view mask,
                            std::string_view via, std::string_view metric) {
  Value* settings = settings_of(key);
  if (!settings) return;
  const int family = address_family(via);
  if (family == AF_UNSPEC && !trim(via).empty()) {
    problem(fmt::format("\"{}\" is no address of a gateway", via));
    return;
  }
  std::string target;
  if (to == "default") {
    target = family == AF_INET6 ? "::/0" : "0.0.0.0/0";
  } else if (target = with_length(to, mask); target.empty()) {
    return;
  }
  const std::string gateway{trim(via)};
  const bool whole = target == "0.0.0.0/0" || target == "::/0";
  const char* const name = family == AF_INET6 ? "gateway_ipv6" : "gateway";
  if (whole && family != AF_UNSPEC && metric.empty() && !settings->find(name)) {
    settings->set(name, Value::scalar(gateway, false));
    return;
  }
  if (whole && member_text(*settings, name) == gateway) return;
  Value route = Value::map();
  route.set("to", Value::scalar(target, false));
  if (!gateway.empty()) route.set("via", Value::scalar(gateway, false));
  if (number(metric, 0, 1 << 30)) route.set("metric", Value::scalar(std::string{metric}));
  append(*settings, "routes", std::move(route));
}

// The mode comes first: the kernel judges the others by it.
void NetworkTree::add_bond(const std::string& key, const std::vector<Value::Member>& options) {
  Value all = Value::map();
  all.set("mode", Value::scalar("balance-rr", false));
  for (const auto& [name, value] : options) {
    const std::string option = bond_option(name);
    const auto texts = value.as_texts();
    if (option == "slaves" || option == "links" || texts.empty()) continue;
    const std::string text = join(texts, ",");
    if (is_word(option) && is_word(text)) {
      all.set(option, Value::scalar(text, false));
    } else {
      problem(fmt::format("\"{}: {}\" is no option of a bond", name, text));
    }
  }
  set(key, "bond_opts", std::move(all));
}

void NetworkTree::add_vlan(const std::string& parent, std::string_view id,
                           const std::string& child) {
  Value* settings = settings_of(parent);
  if (!settings || child.empty()) return;
  if (!number(id, 1, 4094)) {  // IEEE 802.1Q
    problem(fmt::format("\"{}\" is no VLAN", id));
    return;
  }
  std::string all = member_text(*settings, "vlans");
  if (!all.empty()) all += ',';
  settings->set("vlans", Value::scalar(fmt::format("{}{}:{}", all, id, child), false));
}

void NetworkTree::add_name_servers(const std::vector<std::string>& addresses) {
  for (const auto& text : addresses) {
    const std::string address{trim(text)};
    if (address_family(address) == AF_UNSPEC) {
      problem(fmt::format("\"{}\" is no address of a name server", address));
    } else if (std::find(name_servers_.begin(), name_servers_.end(), address) ==
               name_servers_.end()) {
      name_servers_.push_back(address);
    }
  }
}

void NetworkTree::add_search(const std::vector<std::string>& domains) {
  for (const auto& text : domains) {
    const std::string domain{trim(text)};
    if (!is_word(replace_all(domain, "-", "_"))) {
      problem(fmt::format("\"{}\" is no domain", domain));
    } else if (std::find(search_.begin(), search_.end(), domain) == search_.end()) {
      search_.push_back(domain);
    }
  }
}

std::string NetworkTree::reaching(std::string_view address) const {
  const std::string bytes = address_bytes(trim(address));
  for (const auto& [key, settings] : interfaces_.members()) {
    const Value* addresses = settings.find("addresses");
    for (const auto& own : addresses ? addresses->as_texts() : std::vector<std::string>{}) {
      if (contains(*parse_prefix(own, {}), bytes)) return key;
    }
  }
  return {};
}

Value NetworkTree::finish() && {
  Value network;
  if (!interfaces_.members().empty()) network.set("interfaces", std::move(interfaces_));
  if (!name_servers_.empty()) network.set_path("dns.nameservers", Value::texts(name_servers_));
  if (!search_.empty()) network.set_path("dns.search", Value::texts(search_));
  return network;
}

void note_addresses(const Value& network, Metadata& metadata) {
  const Value* interfaces = network.find("interfaces");
  if (!interfaces) return;
  for (const auto& member : interfaces->members()) {
    const Value* addresses = member.second.find("addresses");
    for (const auto& text : addresses ? addresses->as_texts() : std::vector<std::string>{}) {
      const auto prefix = parse_prefix(text, {});
      if (!prefix) continue;
      const bool v4 = prefix->bytes.size() == 4;
      std::string& place = is_private(prefix->bytes)
                               ? (v4 ? metadata.private_ipv4 : metadata.private_ipv6)
                               : (v4 ? metadata.public_ipv4 : metadata.public_ipv6);
      if (place.empty()) place = text_of(prefix->bytes);
    }
  }
}

}  // namespace ros
