// `ros netconf`: sets up interfaces as rancher.network says and then holds
// dhcpcd, which asks for addresses, keeps asking, and follows cables.
#include <fnmatch.h>
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/netconf.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr const char* kLeases = "/run/ros/dhcp";
constexpr const char* kTimeSources = "/run/ros/chrony";

void try_run(const std::vector<std::string>& argv) {
  try {
    if (const int status = run(argv); status != 0) {
      announce_error(fmt::format("network: {} ended with status {}", quote(argv), status));
    }
  } catch (const Error& error) {
    announce_error(error.what());
  }
}

void run_commands(const Value* list, const std::string& interface) {
  if (!list) return;
  for (const auto& item : list->items()) {
    auto argv = item.is_list() ? item.as_texts()
                               : std::vector<std::string>{"/bin/sh", "-c", item.text()};
    for (auto& word : argv) word = replace_all(word, "$iface", interface);
    if (!argv.empty()) try_run(argv);
  }
}

std::vector<std::string> present_interfaces() {
  std::vector<std::string> names;
  boost::system::error_code ignored;
  for (fs::directory_iterator it{"/sys/class/net", ignored}, end; it != end;
       it.increment(ignored)) {
    if (it->path().filename() != "lo") names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string mac_of(const std::string& interface) {
  return std::string{
      trim(try_read_file("/sys/class/net/" + interface + "/address").value_or(""))};
}

// Bridges, bonds and VLANs are made; members are put into them.
void make_links(const std::string& name, const Value& settings) {
  const auto text = [&](const char* key) {
    const Value* member = settings.find(key);
    return member ? member->text() : std::string{};
  };
  const bool present = fs::exists("/sys/class/net/" + name);
  if (text("bridge") == "true" && !present) {
    try_run({"ip", "link", "add", name, "type", "bridge"});
  }
  if (const Value* options = settings.find("bond_opts"); options && !present) {
    std::vector<std::string> argv{"ip", "link", "add", name, "type", "bond"};
    for (const auto& [key, value] : as_pairs(*options)) {
      argv.push_back(key);
      argv.push_back(value);
    }
    try_run(argv);
  }
  for (const auto& vlan : split(text("vlans"), ',')) {
    if (trim(vlan).empty()) continue;
    const auto parts = split(trim(vlan), ':');
    const std::string child = parts.size() > 1 ? parts[1] : name + "." + parts[0];
    try_run({"ip", "link", "add", "link", name, "name", child, "type", "vlan", "id", parts[0]});
  }
}

void join_links(const std::string& name, const Value& settings) {
  for (const char* kind : {"bond", "bridge"}) {
    const Value* master = settings.find(kind);
    if (!master || master->as_bool() || master->text().empty()) continue;
    if (std::string_view{kind} == "bond") try_run({"ip", "link", "set", name, "down"});
    try_run({"ip", "link", "set", name, "master", master->text()});
  }
  if (const Value* mtu = settings.find("mtu")) {
    try_run({"ip", "link", "set", name, "mtu", mtu->text()});
  }
  try_run({"ip", "link", "set", name, "up"});
}

}  // namespace

bool interface_matches(const std::string& pattern, const Value& settings, const std::string& name,
                       const std::string& mac) {
  std::string wanted = pattern.starts_with("mac=") ? pattern.substr(4) : "";
  if (const Value* key = settings.find("mac"); wanted.empty() && key) wanted = key->text();
  if (!wanted.empty()) return ::strcasecmp(wanted.c_str(), mac.c_str()) == 0;
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

std::string dhcpcd_config(const Config& config, const std::map<std::string, Value>& interfaces) {
  std::string text =
      "# Written by ros netconf.\n"
      "hostname\nduid\npersistent\nvendorclassid\n"
      "option domain_name_servers, domain_name, domain_search, host_name\n"
      "option classless_static_routes, interface_mtu, ntp_servers\n"
      "require dhcp_server_identifier\nslaac private\nnoarp\n"
      "denyinterfaces docker* veth* br-* lo\n"
      "script /usr/lib/ros/dhcp-hook\n"
      // Not to wait for udev to have seen an interface: there may be no udev.
      "nodev\n";
  // 0 lets dhcpcd try without end, which is what a machine without a person needs.
  text += fmt::format("timeout {}\n", config.integer("rancher.network.dhcp_timeout", 0));
  for (const auto& [name, settings] : interfaces) {
    const auto value = [&, &from = settings](const char* key) {
      const Value* member = from.find(key);
      return member ? member->text() : std::string{};
    };
    const Value* dhcp = settings.find("dhcp");
    std::vector<std::string> all;
    if (const auto first = value("address"); !first.empty()) all.push_back(first);
    if (const Value* more = settings.find("addresses")) {
      for (auto& address : more->as_texts()) all.push_back(std::move(address));
    }
    text += fmt::format("\ninterface {}\n", name);
    bool fixed = false;
    for (const auto& address : all) {
      const bool v6 = address.find(':') != std::string::npos;
      text += fmt::format("static {}={}\n", v6 ? "ip6_address" : "ip_address", address);
      fixed = fixed || !v6;
    }
    if (const auto gateway = value("gateway"); !gateway.empty()) {
      text += fmt::format("static routers={}\n", gateway);
    }
    if (const auto gateway = value("gateway_ipv6"); !gateway.empty()) {
      text += fmt::format("static ip6_routers={}\n", gateway);
    }
    const Value* local = settings.find("ipv4ll");
    const bool link_local = local && local->as_bool().value_or(false);
    text += link_local ? "ipv4ll\n" : "noipv4ll\n";
    const bool ask = dhcp ? dhcp->as_bool().value_or(true) : !fixed;
    if (!ask && !fixed) text += "nodhcp\n";
    if (const Value* master = settings.find("bond")) {
      if (!master->text().empty()) text += "noipv4\nnoipv6\n";
    }
    if (const Value* master = settings.find("bridge"); master && !master->as_bool()) {
      text += "noipv4\nnoipv6\n";
    }
  }
  return text;
}

std::string resolv_conf(const std::vector<std::string>& servers,
                        const std::vector<std::string>& domains) {
  std::string text = "# Written by ros; settings: rancher.network.dns\n";
  if (!domains.empty()) text += "search " + join(domains, " ") + "\n";
  for (const auto& server : servers) text += "nameserver " + server + "\n";
  return text;
}

// Joins what the leases say; the configuration goes first.
void write_resolv_conf(const Config& config) {
  auto servers = config.texts("rancher.network.dns.nameservers");
  auto domains = config.texts("rancher.network.dns.search");
  const bool own_servers = !servers.empty();
  const auto add = [](std::vector<std::string>& list, const std::string& word) {
    if (std::find(list.begin(), list.end(), word) == list.end()) list.push_back(word);
  };
  std::vector<fs::path> leases;
  boost::system::error_code ignored;
  for (fs::directory_iterator it{kLeases, ignored}, end; it != end; it.increment(ignored)) {
    leases.push_back(it->path());
  }
  std::sort(leases.begin(), leases.end());
  for (const auto& lease : leases) {
    for (const auto& line : split(try_read_file(lease).value_or(""), '\n')) {
      const auto parts = words(line);
      for (std::size_t i = 1; i < parts.size(); ++i) {
        if (parts[0] == "nameserver" && !own_servers) add(servers, parts[i]);
        if (parts[0] == "search") add(domains, parts[i]);
      }
    }
  }
  // In place: system containers have this very file mounted, not its folder's.
  write_file("/etc/resolv.conf", resolv_conf(servers, domains));
}

int netconf_verb(const Arguments&) {
  log::set_name("netconf");
  const Config config = load_config();
  run_commands(config.find("rancher.network.pre_cmds"), "");

  std::map<std::string, Value> chosen;
  const Value* table = config.find("rancher.network.interfaces");
  if (table) {
    for (const auto& [pattern, settings] : table->members()) {
      if (pattern.find_first_of("*?[=") == std::string::npos) make_links(pattern, settings);
    }
    for (const auto& name : present_interfaces()) {
      for (const auto& [pattern, settings] : table->members()) {
        if (!interface_matches(pattern, settings, name, mac_of(name))) continue;
        // The exact name weighs more than a pattern, wherever it stands.
        if (!chosen.contains(name) || pattern == name) chosen[name] = settings;
      }
    }
    // One that is yet to come (its driver still loads) is dhcpcd's when it is there.
    for (const auto& [pattern, settings] : table->members()) {
      if (pattern.find_first_of("*?[=") == std::string::npos && !settings.find("mac"))
        chosen.try_emplace(pattern, settings);
    }
    for (const auto& [name, settings] : chosen) {
      if (!fs::exists("/sys/class/net/" + name)) continue;
      run_commands(settings.find("pre_up"), name);
      join_links(name, settings);
    }
  }
  write_resolv_conf(config);
  write_file("/run/ros/dhcpcd.conf", dhcpcd_config(config, chosen));
  for (const auto& [name, settings] : chosen) {
    if (fs::exists("/sys/class/net/" + name)) run_commands(settings.find("post_up"), name);
  }
  run_commands(config.find("rancher.network.post_cmds"), "");
  return keep_running({{"dhcpcd", "-B", "-q", "-f", "/run/ros/dhcpcd.conf"}});
}

int dhcp_hook_verb(const Arguments&) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string{value ? value : ""};
  };
  const std::string interface = variable("interface");
  const std::string reason = variable("reason");
  if (interface.empty() || interface.find('/') != std::string::npos) return 0;
  const std::string protocol = reason.ends_with('6') || reason == "ROUTERADVERT" ? "6" : "4";
  const fs::path lease = fs::path{kLeases} / (interface + "." + protocol);
  const fs::path time = fs::path{kTimeSources} / (interface + ".sources");
  if (variable("if_up") == "true") {
    std::string servers = variable("new_domain_name_servers");
    if (servers.empty()) servers = variable("new_dhcp6_name_servers");
    if (servers.empty()) servers = variable("nd1_rdnss1_servers");
    std::string domains = variable("new_domain_search");
    if (domains.empty()) domains = variable("new_domain_name");
    if (servers.empty() && domains.empty() && reason == "CARRIER") return 0;
    write_file_atomically(lease,
                          fmt::format("nameserver {}\nsearch {}\nserver {}\n",
                                      join(words(servers), " "), join(words(domains), " "),
                                      variable("new_dhcp_server_identifier")));
    std::string sources;
    for (const auto& server : words(variable("new_ntp_servers"))) {
      sources += fmt::format("server {} iburst\n", server);
    }
    if (protocol == "4") write_file_atomically(time, sources);
    if (!sources.empty()) run({"chronyc", "reload", "sources"});
  } else if (variable("if_down") == "true") {
    fs::remove(lease);
    if (protocol == "4") fs::remove(time);
  } else {
    return 0;
  }
  write_resolv_conf(load_config());
  return 0;
}

int ntp_verb(const Arguments&) {
  const Config config = load_config();
  fs::create_directories(kTimeSources);
  // In a container the daemon is always process 1: a file left by one that was
  // killed would make the next believe that it runs already.
  fs::remove("/run/chrony/chronyd.pid");
  std::string text = try_read_file("/etc/chrony/chrony.conf").value_or("");
  for (const auto& server : config.texts("rancher.ntp.servers")) {
    text += fmt::format("server {} iburst\n", server);
  }
  text += fmt::format("sourcedir {}\n", kTimeSources);
  write_file("/run/ros/chrony.conf", text);
  exec({"chronyd", "-n", "-u", "_chrony", "-f", "/run/ros/chrony.conf"});
}

}  // namespace ros
