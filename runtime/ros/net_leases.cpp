// `ros dhcp-hook`, which dhcpcd calls, and `ros ntp`: what DHCP said is put to use.
#include "runtime/ros/net_leases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/ros/datasource.h"
#include "runtime/ros/net_clients.h"
#include "runtime/ros/process.h"
#include "runtime/ros/settings.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr const char* kTimeSources = "/run/ros/chrony";

// A name from DHCP counts only when nobody has given one.
void take_hostname(const Config& config, const std::string& given) {
  if (!is_host_name(given)) return;
  write_file_if_changed(fs::path{"/"} / kDhcpHostname, given);
  const std::string name = hostname_of(config, load_metadata());
  if (trim(try_read_file("/etc/hostname").value_or("")) != name) apply_hostname(name);
}

}  // namespace

// What is configured, or else what the leases say; never a server of our choice.
void write_resolv_conf(const Config& config) {
  auto servers = config.texts("rancher.network.dns.nameservers");
  auto domains = config.texts("rancher.network.dns.search");
  const bool own_servers = !servers.empty(), own_domains = !domains.empty();
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
        if (parts[0] == "search" && !own_domains) add(domains, parts[i]);
      }
    }
  }
  // In place: system containers have this very file mounted, not its folder's.
  write_file("/etc/resolv.conf", resolv_conf(servers, domains));
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
    write_file_atomically(
        lease, fmt::format("nameserver {}\nsearch {}\nserver {}\n", join(words(servers), " "),
                           join(words(domains), " "), variable("new_dhcp_server_identifier")));
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
  const Config config = load_config();
  write_resolv_conf(config);
  take_hostname(config, variable("new_host_name"));
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
