#include "runtime/ros/net_clients.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "runtime/base/text.h"
#include "runtime/ros/network_tree.h"

namespace ros {
namespace {

constexpr const char* kFolder = "/run/ros/net/";
constexpr const char* kModems = "rancher.network.modem_networks";

std::optional<bool> flag(const Value& settings, const char* key) {
  const Value* value = settings.find(key);
  return value ? value->as_bool() : std::nullopt;
}

// dhcpcd.conf(5), the part for one interface.
std::string dhcp_block(const Interface& interface) {
  const Value& settings = interface.settings;
  const bool v4 = flag(settings, "dhcp")
                      .value_or(!flag(settings, "dhcp6") && !flag(settings, "ipv4ll") &&
                                !flag(settings, "accept_ra") && !settings.find("address") &&
                                !settings.find("addresses"));
  const bool link_local = flag(settings, "ipv4ll").value_or(false);
  const bool adverts = flag(settings, "accept_ra").value_or(true);
  const auto v6 = flag(settings, "dhcp6");
  std::string text = fmt::format("interface {}\n", interface.name);
  if (!settings.find("mtu")) text += "option interface_mtu\n";
  if (!v4) text += link_local ? "nodhcp\n" : "noipv4\n";
  // Without ARP an address from DHCP counts at once; one of our own choice needs it.
  text += link_local ? "ipv4ll\n" : "noipv4ll\nnoarp\n";
  if (!adverts) text += "noipv6rs\n";
  if (!adverts && !v6.value_or(false)) text += "noipv6\n";
  if (v6) text += *v6 ? "ia_na\n" : "nodhcp6\n";
  if (const auto metric = member_text(settings, "metric"); !metric.empty()) {
    text += fmt::format("metric {}\n", metric);
  }
  return text;
}

const Value* find_wifi(const Config& config, const std::string& name) {
  const Value* all = config.find("rancher.network.wifi_networks");
  return all ? all->find(name) : nullptr;
}

Client wifi_client(const std::string& interface, const Value& network,
                   std::vector<Error>& problems) {
  Client client;
  client.file = kFolder + interface + ".wpa";
  client.text = wpa_config(network, problems);
  client.argv = {"wpa_supplicant", "-i", interface, "-c", client.file, "-D", "nl80211,wext"};
  return client;
}

// Until a modem is there and has connected.
Client modem_client(const Value& modem) {
  std::string how = "apn=" + member_text(modem, "apn");
  if (const auto more = member_text(modem, "extra_args"); !more.empty()) how += "," + more;
  return {{"mmcli", "-m", "any", "--simple-connect=" + how}, true, "", ""};
}

}  // namespace

std::string dhcpcd_config(const std::vector<Interface>& interfaces) {
  std::string text =
      "# Written by ros netconf.\n"
      "hostname\n"
      // The card is the identity: the same address after each boot, from memory too.
      "clientid\n"
      // Addresses stay while the service is started anew.
      "persistent\n"
      "vendorclassid\n"
      "option domain_name_servers, domain_name, domain_search, host_name\n"
      "option classless_static_routes, ntp_servers\n"
      "require dhcp_server_identifier\nslaac private\n"
      "script /usr/lib/ros/dhcp-hook\n"
      // Not to wait for udev to have seen an interface: there may be no udev.
      "nodev\n"
      // Never gives up.
      "timeout 0\n"
      "allowinterfaces";
  for (const auto& interface : interfaces) text += " " + interface.name;
  text += '\n';
  for (const auto& interface : interfaces) text += dhcp_block(interface);
  return text;
}

bool has_own_dhcp(const Interface& interface) {
  return !words(member_text(interface.settings, "dhcp_args")).empty();
}

Client dhcp_client(const std::vector<Interface>& interfaces) {
  Client client;
  client.file = std::string{kFolder} + "dhcpcd.conf";
  client.text = dhcpcd_config(interfaces);
  client.argv = {"dhcpcd", "-B", "-q", "-M", "-f", client.file};
  return client;
}

std::string wpa_config(const Value& network, std::vector<Error>& problems) {
  // How wpa_supplicant.conf wants each: as a quoted text or as a plain word.
  struct Field {
    const char *key, *name;
    bool quoted;
  };
  static constexpr Field kFields[] = {{"scan_ssid", "scan_ssid", false},
                                      {"priority", "priority", false},
                                      {"key_mgmt", "key_mgmt", false},
                                      {"pairwise", "pairwise", false},
                                      {"group", "group", false},
                                      {"eap", "eap", false},
                                      {"identity", "identity", true},
                                      {"anonymous_identity", "anonymous_identity", true},
                                      {"password", "password", true},
                                      {"eapol_flags", "eapol_flags", false},
                                      {"phases", "phase", true},
                                      {"ca_certs", "ca_cert", true},
                                      {"client_certs", "client_cert", true},
                                      {"private_keys", "private_key", true},
                                      {"private_key_passwds", "private_key_passwd", true}};
  std::string text = "ctrl_interface=/run/wpa_supplicant\nupdate_config=0\nnetwork={\n";
  // As hexadecimal digits a name may have any character.
  text += fmt::format("  ssid={}\n", hex(member_text(network, "ssid")));
  const auto printable = [](const std::string& word) {
    return std::none_of(word.begin(), word.end(), [](unsigned char c) { return std::iscntrl(c); });
  };
  const auto add = [&](const std::string& name, const std::string& value, bool quoted,
                       const Value& where) {
    if (!printable(value)) {
      problems.push_back(mistake(where,
                                 fmt::format("wifi_networks: {} has a control character", name),
                                 "write the value on one line"));
      return;
    }
    text +=
        quoted ? fmt::format("  {}=\"{}\"\n", name, value) : fmt::format("  {}={}\n", name, value);
  };
  if (const Value* psk = network.find("psk")) {
    const std::string& key = psk->text();
    const bool raw = key.size() == 64 && std::all_of(key.begin(), key.end(), [](unsigned char c) {
                       return std::isxdigit(c);
                     });
    add("psk", key, !raw, *psk);
  } else if (!network.find("key_mgmt")) {
    text += "  key_mgmt=NONE\n";
  }
  for (const Field& field : kFields) {
    const Value* value = network.find(field.key);
    if (!value) continue;
    std::string name = field.name;
    // The second of phases, ca_certs … is phase2, ca_cert2; the first is phase1, but ca_cert.
    int number = 0;
    for (const auto& word : value->as_texts()) {
      ++number;
      const bool numbered = value->is_list() && (number > 1 || name == "phase");
      if (!word.empty())
        add(numbered ? fmt::format("{}{}", name, number) : name, word, field.quoted, *value);
    }
  }
  return text + "}\n";
}

std::vector<Client> clients_of(const Config& config, const Interface& interface,
                               std::vector<Error>& problems) {
  std::vector<Client> clients;
  const auto& settings = interface.settings;
  if (const Value* name = settings.find("wifi_network"); name && !name->text().empty()) {
    if (const Value* network = find_wifi(config, name->text())) {
      clients.push_back(wifi_client(interface.name, *network, problems));
    } else {
      problems.push_back(mistake(
          *name,
          fmt::format("wifi_network of {}: there is no {}", interface.name, quote(name->text())),
          "describe it in rancher.network.wifi_networks"));
    }
  }
  if (const Value* modem = config.find(std::string{kModems} + "." + interface.name))
    clients.push_back(modem_client(*modem));
  if (interface.asks && has_own_dhcp(interface)) {
    Client client;
    client.file = kFolder + interface.name + ".dhcpcd";
    client.text = dhcpcd_config({interface});
    client.argv = {"dhcpcd", "-B", "-q", "-f", client.file};
    try {
      for (auto& word : shell_words(member_text(settings, "dhcp_args")))
        client.argv.push_back(std::move(word));
    } catch (const Error& error) {
      problems.push_back(mistake(*settings.find("dhcp_args"),
                                 fmt::format("dhcp_args of {}: {}", interface.name, error.what()),
                                 "it asks without them"));
    }
    client.argv.push_back(interface.name);
    clients.push_back(std::move(client));
  }
  return clients;
}

std::vector<Client> modem_daemons(const Config& config) {
  const Value* modems = config.find(kModems);
  if (!modems || modems->members().empty()) return {};
  return {{{"dbus-daemon", "--system", "--nofork", "--nopidfile"}, false, "", ""},
          {{"/usr/lib/polkit-1/polkitd", "--no-debug"}, false, "", ""},
          // It asks polkitd about every request, but looks for it only when it starts.
          {{"/bin/sh", "-c", "until pkaction >/dev/null 2>&1; do sleep 1; done; exec ModemManager"},
           false,
           "",
           ""}};
}

std::string resolv_conf(const std::vector<std::string>& servers,
                        const std::vector<std::string>& domains) {
  std::string text = "# Written by ros; settings: rancher.network.dns\n";
  if (!domains.empty()) text += "search " + join(domains, " ") + "\n";
  for (const auto& server : servers) text += "nameserver " + server + "\n";
  return text;
}

std::string proxy_profile(const Config& config) {
  std::string text;
  for (const char* name :
       {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}) {
    // rancher.network's own are among these (runtime/config/load.cpp).
    const auto value = config.text(std::string{"rancher.environment."} + name);
    if (!value.empty()) text += fmt::format("export {}={}\n", name, quote(value));
  }
  return text.empty() ? text : "# Written by ros; settings: rancher.network.*_proxy\n" + text;
}

bool is_host_name(const std::string& name) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.'; };
  return !name.empty() && name.size() <= 64 && std::isalnum(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), plain);
}

}  // namespace ros
