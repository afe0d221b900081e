// Network documents of clouds, OVF environments, guestinfo, TFTP and Azure's report.
#include "runtime/ros/network_data.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/config/schema.h"
#include "runtime/ros/azure_report.h"
#include "runtime/ros/fetch.h"
#include "runtime/ros/guestinfo.h"
#include "runtime/ros/vmware_rpc.h"
#include "tests/support/http_server.h"

using namespace ros;
using Texts = std::vector<std::string>;

namespace {
std::string text(const Value& tree, const std::string& path) {
  const Value* node = tree.find_path(path);
  return node ? (node->is_list() ? to_yaml(*node) : node->text()) : "(none)";
}

// What the schema says of it as rancher.network.
Texts objections(const Value& network) {
  Value tree = Value::map();
  tree.set_path("rancher.network", network);
  std::vector<Error> problems;
  validate(tree, problems);
  Texts texts;
  for (const auto& problem : problems) texts.emplace_back(problem.what());
  return texts;
}
}  // namespace

TEST_CASE("network: OpenStack's bond, VLAN, addresses and routes") {
  Texts problems;
  const auto document = parse_json(
      R"({"links":[{"id":"v","type":"vlan","vlan_link":"b","vlan_id":101},)"
      R"({"id":"b","type":"bond","bond_links":["p","q"],"bond_mode":"802.3ad","bond_miimon":100},)"
      R"({"id":"p","type":"phy","ethernet_mac_address":"FA:16:3E:00:00:01","mtu":1450},)"
      R"({"id":"q","type":"phy","ethernet_mac_address":"fa:16:3e:00:00:02"}],)"
      R"("networks":[{"link":"v","type":"ipv4","ip_address":"192.0.2.5","netmask":"255.255.255.0",)"
      R"("routes":[{"network":"0.0.0.0","netmask":"0.0.0.0","gateway":"192.0.2.1"},)"
      R"({"network":"198.51.100.0","netmask":"255.255.255.0","gateway":"192.0.2.9"}]},)"
      R"({"link":"gone","type":"ipv4_dhcp"}],"services":[{"type":"dns","address":"192.0.2.53"}]})");
  REQUIRE(document);
  const Value tree = network_of_openstack(*document, problems);
  CHECK(problems == Texts{"a network is on \"gone\", which is no link of the document"});
  CHECK(text(tree, "interfaces.mac=fa:16:3e:00:00:01.bond") == "b");
  CHECK(text(tree, "interfaces.mac=fa:16:3e:00:00:01.mtu") == "1450");
  CHECK(text(tree, "interfaces.b.bond_opts.mode") == "802.3ad");
  CHECK(text(tree, "interfaces.b.vlans") == "101:v");
  CHECK(tree.find_path("interfaces.v.addresses")->as_texts() == Texts{"192.0.2.5/24"});
  CHECK(text(tree, "interfaces.v.gateway") == "192.0.2.1");
  CHECK(text(tree.find_path("interfaces.v.routes")->items().at(0), "to") == "198.51.100.0/24");
  CHECK(tree.find_path("dns.nameservers")->as_texts() == Texts{"192.0.2.53"});
  CHECK(objections(tree) == Texts{});
  CHECK_FALSE(parse_json("{\"links\":["));
}

TEST_CASE("network: both versions of network-config mean the same") {
  for (const char* const yaml :
       {"version: 1\nconfig:\n- {type: physical, name: eth0, mac_address: 'bc:24:11:00:00:01', "
        "subnets: [{type: static, address: 192.0.2.5, netmask: 255.255.255.0, gateway: 192.0.2.1}, "
        "{type: static6, address: '2001:db8::5/64', gateway: '2001:db8::1'}]}\n"
        "- {type: nameserver, address: [192.0.2.53], search: [example.com]}\n",
        "network:\n  version: 2\n  ethernets:\n    a: {match: {macaddress: 'BC:24:11:00:00:01'}, "
        "addresses: [192.0.2.5/24, '2001:db8::5/64'], routes: [{to: default, via: 192.0.2.1}, "
        "{to: '::/0', via: '2001:db8::1'}], "
        "nameservers: {addresses: [192.0.2.53], search: [example.com]}}\n"}) {
    Texts problems;
    const Value tree = network_of_cloud_init(parse_yaml(yaml, "test"), problems);
    CHECK(problems.empty());
    const Value* interface = tree.find_path("interfaces.mac=bc:24:11:00:00:01");
    REQUIRE(interface);
    CHECK(interface->find("addresses")->as_texts() == Texts{"192.0.2.5/24", "2001:db8::5/64"});
    CHECK(text(*interface, "gateway") == "192.0.2.1");
    CHECK(text(*interface, "gateway_ipv6") == "2001:db8::1");
    CHECK(objections(tree) == Texts{});
    CHECK(text(tree, "dns.search") == to_yaml(Value::texts({"example.com"})));
  }
  Texts problems;
  const Value wrong = network_of_cloud_init(
      parse_yaml("version: 2\nwifis: {}\nethernets: {'a b': {dhcp4: true}, "
                 "eth1: {addresses: [300.1.1.1/24, 192.0.2.7/33], dhcp4: true}}\n",
                 "test"),
      problems);
  CHECK(problems.size() == 4);
  CHECK(text(wrong, "interfaces.eth1.dhcp") == "true");
  CHECK_FALSE(wrong.find_path("interfaces.eth1.addresses"));
}

TEST_CASE("network: IPv6 by DHCP and by what routers say") {
  Texts problems;
  const Value one = network_of_cloud_init(
      parse_yaml("version: 1\nconfig:\n"
                 "- {type: physical, name: eth0, subnets: [{type: dhcp}, {type: dhcp6}]}\n"
                 "- {type: physical, name: eth1, subnets: [{type: ipv6_dhcpv6-stateful}]}\n"
                 "- {type: physical, name: eth2, subnets: [{type: ipv6_dhcpv6-stateless}]}\n"
                 "- {type: physical, name: eth3, subnets: [{type: ipv6_slaac}, {type: manual}]}\n"
                 "- {type: physical, name: eth4, subnets: [{type: ppp}]}\n",
                 "test"),
      problems);
  CHECK(problems == Texts{"a subnet of the type \"ppp\" is not supported"});
  CHECK(objections(one) == Texts{});
  CHECK(text(one, "interfaces.eth0.dhcp") == "true");
  CHECK(text(one, "interfaces.eth0.dhcp6") == "true");
  CHECK(text(one, "interfaces.eth1.dhcp6") == "true");
  CHECK(text(one, "interfaces.eth1.dhcp") == "false");
  CHECK(text(one, "interfaces.eth2.accept_ra") == "true");
  CHECK(text(one, "interfaces.eth3.accept_ra") == "true");
  CHECK(text(one, "interfaces.eth4.accept_ra") == "(none)");
  problems.clear();
  const Value two =
      network_of_cloud_init(parse_yaml("version: 2\nethernets: {eth0: {dhcp4: false, dhcp6: true}, "
                                       "eth1: {accept-ra: false}, eth2: {dhcp6: false}}\n",
                                       "test"),
                            problems);
  CHECK(problems.empty());
  CHECK(text(two, "interfaces.eth0.dhcp6") == "true");
  CHECK(text(two, "interfaces.eth1.accept_ra") == "false");
  CHECK(text(two, "interfaces.eth2.dhcp6") == "(none)");
  const Value three = network_of_openstack(
      *parse_json(R"({"links":[{"id":"a","ethernet_mac_address":"fa:16:3e:00:00:01"},)"
                  R"({"id":"b","ethernet_mac_address":"fa:16:3e:00:00:02"},)"
                  R"({"id":"c","ethernet_mac_address":"fa:16:3e:00:00:03"}],"networks":[)"
                  R"({"link":"a","type":"ipv6_dhcp"},{"link":"b","type":"ipv6_slaac"},)"
                  R"({"link":"c","type":"ipv6_slaac","ip_address":"2001:db8::5/64"},)"
                  R"({"link":"c","type":"ipv6"}]})"),
      problems);
  CHECK(problems == Texts{"a network of the type \"ipv6\" has no address"});
  CHECK(text(three, "interfaces.mac=fa:16:3e:00:00:01.dhcp6") == "true");
  CHECK(text(three, "interfaces.mac=fa:16:3e:00:00:02.accept_ra") == "true");
  const Value* fixed = three.find_path("interfaces.mac=fa:16:3e:00:00:03.addresses");
  REQUIRE(fixed);
  CHECK(fixed->as_texts() == Texts{"2001:db8::5/64"});
}

TEST_CASE("network: DigitalOcean's private gateway leads nowhere, Packet's bond carries all") {
  Texts problems;
  const Value droplet = network_of_digitalocean(
      *parse_json(R"({"interfaces":{"public":[{"mac":"04:01:00:00:00:01","ipv4":{"ip_address":)"
                  R"("192.0.2.5","netmask":"255.255.240.0","gateway":"192.0.2.1"}}],"private":[)"
                  R"({"mac":"04:01:00:00:00:02","ipv4":{"ip_address":"10.1.0.5","netmask":)"
                  R"("255.255.0.0","gateway":"10.1.0.1"}}]}})"),
      problems);
  CHECK(text(droplet, "interfaces.mac=04:01:00:00:00:01.gateway") == "192.0.2.1");
  CHECK(text(droplet, "interfaces.mac=04:01:00:00:00:02.gateway") == "(none)");
  const Value packet = network_of_packet(
      *parse_json(
          R"({"network":{"bonding":{"mode":4},"interfaces":[{"name":"eth0","mac":)"
          R"("e4:43:4b:00:00:01","bond":"bond0"}],"addresses":[{"address_family":4,"cidr":31,)"
          R"("public":true,"address":"192.0.2.5","gateway":"192.0.2.4"},{"cidr":25,"public":)"
          R"(false,"address":"10.2.0.5","gateway":"10.2.0.1"}]}})"),
      problems);
  CHECK(problems.empty());
  CHECK(text(packet, "interfaces.bond0.bond_opts.lacp_rate") == "1");
  CHECK(text(packet, "interfaces.bond0.gateway") == "192.0.2.4");
  CHECK(text(packet.find_path("interfaces.bond0.routes")->items().at(0), "to") == "10.0.0.0/8");
}

TEST_CASE("vmware: guestinfo out of an OVF environment, and one that is cut short") {
  const std::string xml =
      "<Environment xmlns:oe=\"x\"><PropertySection>"
      "<Property oe:key=\"guestinfo.hostname\" oe:value=\"a&amp;b\"/>"
      "<Property oe:key=\"other\" oe:value=\"1\"/></PropertySection></Environment>";
  Texts problems;
  CHECK(parse_ovf_environment(xml, problems) ==
        std::map<std::string, std::string>{{"hostname", "a&b"}});
  CHECK(problems.empty());
  parse_ovf_environment(xml.substr(0, 150), problems);
  parse_ovf_environment("<html>", problems);
  CHECK(problems.size() == 2);
  const std::map<std::string, std::string> variables{
      {"hostname", "box"},
      {"interface.0.mac", "00:50:56:00:00:01"},
      {"interface.0.dhcp", "no"},
      {"interface.0.ip.0.address", "192.0.2.5"},
      {"interface.0.ip.0.netmask", "255.255.255.0"},
      {"interface.0.route.0.gateway", "192.0.2.1"},
      {"dns.servers", "192.0.2.53, 192.0.2.54"},
      {"cloud-init.config.data", "I2Nsb3VkLWNvbmZpZwo="},
      {"cloud-init.data.encoding", "base64"}};
  problems.clear();
  const auto data = read_guestinfo(
      [&](const std::string& key) { return variables.contains(key) ? variables.at(key) : ""; },
      problems);
  REQUIRE(data);
  CHECK(problems.empty());
  CHECK(data->text == "#cloud-config\n");
  CHECK(text(data->network, "interfaces.mac=00:50:56:00:00:01.gateway") == "192.0.2.1");
  CHECK(data->network.find_path("dns.nameservers")->as_texts().size() == 2);
  CHECK_FALSE(read_guestinfo([](const std::string&) { return std::string{}; }, problems));
}

TEST_CASE("vmware: a variable is read through the port, as open-vm-tools does") {
  std::string sent, reply;
  std::size_t at = 0;
  bool closed = false;
  const VmwareRpc rpc{[&](PortRegisters& r) {
    const auto step = r.ecx >> 16;
    const bool known = r.eax == 0x564D5868 && (r.edx & 0xffff) == 0x5658 && (r.ecx & 0xffff) == 30;
    r.ecx = known ? 1u << 16 : 0;
    if (step == 0) r = {0, 0, r.ecx, 7u << 16, 11, 12}, sent.clear(), at = 0;
    if (step == 0) return;
    if (r.edx >> 16 != 7 || r.esi != 11 || r.edi != 12) r.ecx = 0;
    if (step == 2) sent.append(reinterpret_cast<const char*>(&r.ebx), 4);
    reply = sent.starts_with("info-get guestinfo.name") ? "1 value" : "0 No value found";
    if (step == 3)
      r.ecx |= 2u << 16, r.ebx = static_cast<std::uint32_t>(reply.size()), r.edx = 1u << 16;
    if (step == 4) {
      r.ebx = 0;
      std::memcpy(&r.ebx, reply.data() + at, std::min<std::size_t>(4, reply.size() - at));
      at += 4, r.edx = 2u << 16;
    }
    closed = step == 6;
  }};
  CHECK(rpc.get("guestinfo.name") == "value");
  CHECK(closed);
  CHECK_FALSE(rpc.get("guestinfo.other"));
  CHECK_FALSE(VmwareRpc{[](PortRegisters& r) { r.ecx = 0; }}.get("x"));
}

TEST_CASE("azure: ready is reported with what the goal state says, or not at all") {
  test::HttpServer server;
  const Patience patience = Patience{}.at_most(std::chrono::seconds{60});
  server.put("/machine/?comp=goalstate",
             "<GoalState><Incarnation>3</Incarnation><Container><ContainerId>c-1</ContainerId>"
             "<RoleInstanceList><RoleInstance><InstanceId>i.2</InstanceId></RoleInstance>"
             "</RoleInstanceList></Container></GoalState>");
  server.put_raw("POST /machine/?comp=health", {test::HttpServer::answer(200, "")});
  report_ready_to_azure(patience, server.url());
  CHECK(server.requests().size() == 2);
  CHECK(server.requests().back().starts_with("POST /machine/?comp=health "));
  server.put("/machine/?comp=goalstate", "<GoalState><Incarnation>3</Inc");
  CHECK_THROWS_AS(report_ready_to_azure(patience, server.url()), Error);
  CHECK(server.requests().size() == 3);
}
