// From the configuration and the links that are there to an ordered list of operations.
#include <catch2/catch.hpp>

#include "runtime/base/text.h"
#include "runtime/ros/net_address.h"
#include "runtime/ros/net_clients.h"
#include "tests/support/config.h"

using namespace ros;
using test::config_of;

namespace {

Config interfaces(const std::string& yaml) {
  return config_of("rancher: {network: {interfaces: " + yaml + "}}");
}

std::vector<Link> cards(const std::vector<std::string>& names) {
  std::vector<Link> links{{"lo", "00:00:00:00:00:00", "", ""}};
  int number = 0;
  for (const auto& name : names) {
    links.push_back({name, "52:54:00:00:00:0" + std::to_string(number++), "", ""});
  }
  return links;
}

// One line for each operation.
std::string steps(const NetworkPlan& plan) {
  std::string text;
  for (const auto& interface : plan.interfaces) {
    for (const auto& step : interface.make) text += join(step.words, " ") + "\n";
  }
  for (const auto& interface : plan.interfaces) {
    for (const auto& step : interface.set_up) text += join(step.words, " ") + "\n";
  }
  return text;
}

std::vector<std::string> names(const NetworkPlan& plan) {
  std::vector<std::string> list;
  for (const auto& interface : plan.interfaces) list.push_back(interface.name);
  return list;
}

}  // namespace

TEST_CASE("network plan: without interfaces in the configuration eth* ask DHCP") {
  const auto plan = plan_network(config_of("hostname: x"), cards({"eth1", "eth0", "wlan0"}));
  CHECK(names(plan) == std::vector<std::string>{"eth0", "eth1"});
  CHECK(plan.interfaces[0].asks);
}

TEST_CASE("network plan: an interface that nothing matches is not touched") {
  const auto plan =
      plan_network(interfaces("{eth1: {address: 10.0.0.2/24}}"), cards({"eth0", "eth1"}));
  CHECK(names(plan) == std::vector<std::string>{"eth1"});
  CHECK_FALSE(plan.interfaces[0].asks);
}

TEST_CASE("network plan: exact MAC before exact name before pattern") {
  const auto table = parse_yaml(
      "{'eth*': {mtu: 1}, eth0: {mtu: 2}, 'mac:52:54:00:00:00:0A': {mtu: 3}, "
      "'mac=52:54:*': {mtu: 4}, lan: {match: 'mac:00:00:00:00:00:01', mtu: 5}}",
      "c");
  const auto mtu = [&](const Link& link) {
    const Value* settings = find_settings(table, link);
    return settings ? settings->find("mtu")->text() : "";
  };
  CHECK(mtu({"eth0", "52:54:00:00:00:0a", "", ""}) == "3");
  CHECK(mtu({"eth0", "00:00:00:00:00:09", "", ""}) == "2");
  CHECK(mtu({"eth7", "00:00:00:00:00:09", "", ""}) == "1");
  CHECK(mtu({"x", "52:54:00:00:00:0b", "", ""}) == "4");
  CHECK(mtu({"x", "00:00:00:00:00:01", "", ""}) == "5");
  CHECK(mtu({"bond0", "52:54:00:00:00:0a", "bond", ""}) == "");
  CHECK(mtu({"x.5", "52:54:00:00:00:0a", "vlan", ""}) == "");
  CHECK(mtu({"docker0", "00:00:00:00:00:02", "bridge", ""}) == "");
}

TEST_CASE("network plan: addresses, gateways, routes and metrics") {
  const auto plan = plan_network(
      interfaces("{eth0: {address: 10.0.0.2/24, addresses: ['fd00::2/64'], gateway: 10.0.0.1, "
                 "gateway_ipv6: 'fe80::1', metric: 5, mtu: 1400, "
                 "routes: [{to: 10.9.0.0/16, via: 10.0.0.9, metric: 7}]}}"),
      cards({"eth0"}));
  CHECK(plan.problems.empty());
  CHECK(steps(plan) ==
        "link set dev eth0 mtu 1400\nlink set dev eth0 up\n"
        "address replace 10.0.0.2/24 broadcast + dev eth0\n"
        "address replace fd00::2/64 dev eth0\n"
        "route replace default via 10.0.0.1 dev eth0 metric 5\n"
        "route replace ::/0 via fe80::1 dev eth0 metric 5\n"
        "route replace 10.9.0.0/16 via 10.0.0.9 dev eth0 metric 7\n");
}

TEST_CASE("network plan: an address with a NUL in it is none") {
  const auto plan = plan_network(interfaces("{eth0: {addresses: [\"10.0.0.2\\0/24\", 10.0.0.3/24], "
                                            "gateway: \"10.0.0.1\\0\"}}"),
                                 cards({"eth0"}));
  CHECK(plan.problems.size() == 2);
  CHECK(steps(plan) == "link set dev eth0 up\naddress replace 10.0.0.3/24 broadcast + dev eth0\n");
}

TEST_CASE("network plan: a bond has its mode first and its members join while down") {
  const auto plan = plan_network(
      interfaces("{bond0: {bond_opts: {miimon: 100, mode: active-backup}, dhcp: true}, "
                 "eth6: {bond: bond0}}"),
      cards({"eth6"}));
  CHECK(steps(plan) ==
        "link add dev bond0 type bond\n"
        "/sys/class/net/bond0/bonding/mode active-backup\n"
        "/sys/class/net/bond0/bonding/miimon 100\n"
        "link set dev eth6 down\nlink set dev eth6 master bond0\nlink set dev eth6 up\n"
        "link set dev bond0 up\n");
}

TEST_CASE("network plan: an option of a bond leads nowhere else, and names are words") {
  const auto plan =
      plan_network(interfaces("{bond0: {bond_opts: {../../up: 1, a/b: 1, '': 1, miimon: 100}}, "
                              "\"b\\0\": {bridge: true}, \"c\\e\": {bridge: true}}"),
                   cards({"eth0"}));
  CHECK(plan.problems.size() == 5);
  CHECK(steps(plan) ==
        "link add dev bond0 type bond\n"
        "/sys/class/net/bond0/bonding/miimon 100\n"
        "link set dev bond0 up\n");
}

TEST_CASE("network plan: what is wrong is named with its place and the rest applies") {
  const auto plan = plan_network(
      interfaces("{eth0: {addresses: [10.0.0.300/24, 10.0.0.2, 10.0.0.3/24], gateway: here, "
                 "mtu: 1, vlans: '5000,7'}}"),
      cards({"eth0"}));
  CHECK(plan.problems.size() == 5);
  for (const auto& problem : plan.problems) CHECK_THAT(problem.what(), Catch::Contains("c.yml:1:"));
  CHECK_THAT(steps(plan), Catch::Contains("address replace 10.0.0.3/24"));
  CHECK_THAT(steps(plan), Catch::Contains("link add link eth0 name eth0.7 type vlan id 7"));
}

TEST_CASE("network clients: one dhcpcd asks for each interface what is configured") {
  const auto plan = plan_network(
      interfaces("{eth0: {dhcp: true, metric: 9}, eth1: {accept_ra: true}, eth2: {ipv4ll: true}, "
                 "eth3: {dhcp: true, accept_ra: false}, eth4: {dhcp6: true}, "
                 "eth5: {address: 10.0.0.2/24}}"),
      cards({"eth0", "eth1", "eth2", "eth3", "eth4", "eth5"}));
  std::vector<Interface> asking;
  for (const auto& interface : plan.interfaces) {
    if (interface.asks) asking.push_back(interface);
  }
  const std::string text = dhcpcd_config(asking);
  CHECK_THAT(text, Catch::EndsWith(
                       "\nallowinterfaces eth0 eth1 eth2 eth3 eth4\n"
                       "interface eth0\noption interface_mtu\nnoipv4ll\nnoarp\nmetric 9\n"
                       "interface eth1\noption interface_mtu\nnoipv4\nnoipv4ll\nnoarp\n"
                       "interface eth2\noption interface_mtu\nnodhcp\nipv4ll\n"
                       "interface eth3\noption interface_mtu\nnoipv4ll\nnoarp\nnoipv6rs\nnoipv6\n"
                       "interface eth4\noption interface_mtu\nnoipv4\nnoipv4ll\nnoarp\nia_na\n"));
}

TEST_CASE("network clients: an interface with dhcp_args has a dhcpcd of its own") {
  const Config config =
      interfaces("{eth0: {dhcp: true, dhcp_args: '-d --noarp'}, eth1: {dhcp: true}}");
  const auto plan = plan_network(config, cards({"eth0", "eth1"}));
  std::vector<Error> problems;
  const auto own = clients_of(config, plan.interfaces[0], problems);
  REQUIRE(own.size() == 1);
  CHECK_THAT(join(own[0].argv, " "), Catch::EndsWith(" -d --noarp eth0"));
  CHECK(clients_of(config, plan.interfaces[1], problems).empty());
}

TEST_CASE("network clients: a modem needs its daemons and no entry of its own") {
  const Config config = config_of(
      "rancher: {network: {modem_networks: {wwan0: {apn: internet.example, "
      "extra_args: 'user=me,password=x'}}}}");
  const auto plan = plan_network(config, cards({"eth0", "wwan0", "wwan1"}));
  REQUIRE(names(plan) == std::vector<std::string>{"eth0", "wwan0"});
  CHECK(plan.interfaces[1].asks);
  std::vector<Error> problems;
  const auto clients = clients_of(config, plan.interfaces[1], problems);
  REQUIRE(clients.size() == 1);
  CHECK(clients[0].once);
  CHECK(join(clients[0].argv, " ") ==
        "mmcli -m any --simple-connect=apn=internet.example,user=me,password=x");
  REQUIRE(modem_daemons(config).size() == 3);
  CHECK_THAT(modem_daemons(config)[2].argv.back(), Catch::EndsWith("exec ModemManager"));
  CHECK(modem_daemons(config_of("hostname: x")).empty());
}

TEST_CASE("network clients: a wireless network is written as wpa_supplicant reads it") {
  const Config config = config_of(
      "rancher: {network: {interfaces: {wlan0: {wifi_network: home}, wlan1: {wifi_network: hme}}, "
      "wifi_networks: {home: {ssid: 'a \"b', psk: 'a secret', priority: 2, address: 10.5.0.9/24, "
      "gateway: 10.5.0.1, phases: [one, two], ca_certs: [/a, /b]}, "
      "hex: {ssid: x, psk: '" +
      std::string(64, 'a') + "'}, open: {ssid: x}, bad: {ssid: x, psk: \"a\\nb\"}}}}");
  const auto plan = plan_network(config, cards({"wlan0", "wlan1"}));
  REQUIRE(plan.interfaces.size() == 2);
  CHECK_FALSE(plan.interfaces[0].asks);  // the network has a fixed address
  CHECK_THAT(steps(plan), Catch::Contains("address replace 10.5.0.9/24 broadcast + dev wlan0\n"
                                          "route replace default via 10.5.0.1 dev wlan0"));
  std::vector<Error> problems;
  const auto clients = clients_of(config, plan.interfaces[0], problems);
  CHECK(problems.empty());
  REQUIRE(clients.size() == 1);
  CHECK(clients[0].text ==
        "ctrl_interface=/run/wpa_supplicant\nupdate_config=0\nnetwork={\n  ssid=61202262\n"
        "  psk=\"a secret\"\n  priority=2\n  phase1=\"one\"\n  phase2=\"two\"\n"
        "  ca_cert=\"/a\"\n  ca_cert2=\"/b\"\n}\n");
  CHECK(clients_of(config, plan.interfaces[1], problems).empty());
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0].what(), Catch::Contains("c.yml:1:") && Catch::Contains("there is no hme"));
  const auto wpa = [&](const char* name) {
    return wpa_config(*config.find(std::string{"rancher.network.wifi_networks."} + name), problems);
  };
  CHECK_THAT(wpa("hex"), Catch::Contains("psk=" + std::string(64, 'a') + "\n"));
  CHECK_THAT(wpa("open"), Catch::Contains("key_mgmt=NONE\n"));
  CHECK_THAT(wpa("bad"), !Catch::Contains("psk"));
  CHECK(problems.size() == 2);
}

TEST_CASE("network clients: only a proper name becomes the host name") {
  CHECK(is_host_name("box.lan"));
  CHECK_FALSE(is_host_name(""));
  CHECK_FALSE(is_host_name("-x"));
  CHECK_FALSE(is_host_name("a\nb"));
  CHECK_FALSE(is_host_name(std::string(65, 'a')));
}

TEST_CASE("network: the kernel command line beats files") {
  Config config = interfaces("{eth0: {address: 10.0.0.2/24}}");
  merge(config.tree,
        parse_command_line(Cmdline{"rancher.network.interfaces.eth0.address=10.0.0.7/24"}));
  CHECK_THAT(steps(plan_network(config, cards({"eth0"}))), Catch::Contains("10.0.0.7/24"));
}

TEST_CASE("network: resolv.conf names what it is given and nothing else") {
  CHECK(resolv_conf({"10.0.0.1"}, {"lan"}).ends_with("search lan\nnameserver 10.0.0.1\n"));
  CHECK(resolv_conf({}, {}).find("nameserver") == std::string::npos);
}

TEST_CASE("network: lo and what an engine makes are no way to the machine, other names are") {
  for (const char* inner :
       {"lo", "docker0", "docker_gwbridge", "br-0123456789ab", "br-deadbeef0123", "veth1a2b3c4"}) {
    CAPTURE(inner);
    CHECK(is_inner_link(inner));
    CHECK_FALSE(find_settings(parse_yaml("\"*\": {dhcp: true}\n", "f"), {.name = inner}));
  }
  for (const char* outer : {"eth0", "br-lan", "br0", "br-0123456789a", "br-0123456789abc",
                            "br-0123456789AB", "local0", "lo0", "docker-lan", "docker1", ""}) {
    CAPTURE(outer);
    CHECK_FALSE(is_inner_link(outer));
  }
}
