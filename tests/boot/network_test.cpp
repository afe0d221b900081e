// rancher.network on a machine with many cards, as `ip` sees the result.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/text.h"
#include "tests/boot/scenario.h"

using namespace proof;
using nlohmann::json;

namespace {

// eth0 is the machine's own card, through which ssh comes.
constexpr const char* kUserData = R"(
rancher:
  network:
    pre_cmds: ["echo pre_cmds >> /run/order"]
    post_cmds: [[sh, -c, "echo post_cmds >> /run/order"]]
    dns: {nameservers: [10.0.2.3, "fec0::3"], search: [example.internal]}
    interfaces:
      first:
        match: "mac:52:54:00:12:34:56"
        addresses: [10.0.2.15/24, "fec0::15/64"]
        gateway: 10.0.2.2
        gateway_ipv6: "fec0::2"
      eth1:
        address: 192.0.2.10/24
        mtu: 1400
        routes: [{to: 198.51.100.0/24, via: 192.0.2.1, metric: 50}]
        vlans: "100:storage,200,400"
      storage: {address: 203.0.113.5/24}
      br0: {bridge: true, address: 10.9.0.1/24, vlans: "300:upon"}
      upon: {address: 10.9.3.1/24}
      eth1.400: {bridge: br0}
      eth2:
        bridge: br0
        pre_up: ["echo pre_up $iface >> /run/order"]
        post_up: [[sh, -c, "echo post_up $iface >> /run/order"]]
      bond0: {bond_opts: {miimon: 100, mode: active-backup}, address: 10.8.0.1/24}
      eth3: {bond: bond0}
      eth4: {bond: bond0}
      eth6: {dhcp: true, metric: 500}
      eth7: {ipv4ll: true}
      eth8: {dhcp: true, accept_ra: false, metric: 600}
      near0: {dhcp: true, metric: 700}
)";

// Each in a network of its own; the sixth and the last are to find a DHCP server and a router.
std::vector<std::string> eight_more_cards() {
  std::vector<std::string> arguments;
  for (int number = 1; number <= 8; ++number) {
    const auto text = std::to_string(number);
    const std::string id = "net" + text;
    arguments.insert(arguments.end(),
                     {"-netdev",
                      "user,id=" + id +
                          (number == 6   ? ",net=10.7.0.0/24,hostname=named-by-dhcp"
                           : number == 8 ? ",net=10.6.0.0/24"
                                         : ",restrict=on,ipv6=off"),
                      "-device", "virtio-net-pci,netdev=" + id + ",mac=52:54:00:00:00:0" + text});
  }
  return arguments;
}

Machine machine(const fs::path& folder) {
  Machine machine{
      .name = "network",
      .disks = {{.path = state_disk(folder), .bus = Bus::virtio},
                {.path = programs_cd(folder, {"/usr/sbin/dnsmasq"}), .bus = Bus::cdrom}},
      .user_data = kUserData,
      .arguments = {"-kernel", artifact("amd64", "vmlinuz").string(), "-initrd",
                    artifact("amd64", "initrd").string(), "-append",
                    "console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 panic=10 "
                    "rancher.state.dev=LABEL=RANCHER_STATE "
                    "rancher.network.interfaces.eth1.mtu=1300"}};
  for (auto& argument : eight_more_cards()) machine.arguments.push_back(std::move(argument));
  return machine;
}

json ask(Guest& guest, const std::string& what) {
  return json::parse(guest.run("ip -json -details " + what));
}

// As ADDRESS/BITS, without those that the kernel made up.
std::vector<std::string> addresses(Guest& guest, const std::string& interface) {
  std::vector<std::string> list;
  for (const auto& link : ask(guest, "address show dev " + interface)) {
    for (const auto& address : link["addr_info"]) {
      if (address["scope"] == "link" || address.value("dynamic", false)) continue;
      list.push_back(address["local"].get<std::string>() + "/" +
                     std::to_string(address["prefixlen"].get<int>()));
    }
  }
  return list;
}

json link(Guest& guest, const std::string& interface) {
  return ask(guest, "link show dev " + interface).at(0);
}

bool is_up(const json& link) {
  return std::count(link["flags"].begin(), link["flags"].end(), "UP") == 1;
}

using List = std::vector<std::string>;

void check_cards(Guest& guest) {
  CHECK(addresses(guest, "eth0") == List{"10.0.2.15/24", "fec0::15/64"});
  CHECK(ask(guest, "route show default").at(0)["gateway"] == "10.0.2.2");
  CHECK_THAT(guest.run("ip -6 route show default"), Catch::Contains("via fec0::2 dev eth0"));

  CHECK(addresses(guest, "eth1") == List{"192.0.2.10/24"});
  CHECK(link(guest, "eth1")["mtu"] == 1300);  // the kernel command line beats user-data
  const json route = ask(guest, "route show 198.51.100.0/24").at(0);
  CHECK(route["gateway"] == "192.0.2.1");
  CHECK(route["metric"] == 50);

  INFO("eth5 matches nothing");
  CHECK_FALSE(is_up(link(guest, "eth5")));
}

void check_virtual_links(Guest& guest) {
  const json storage = link(guest, "storage");
  CHECK(storage["link"] == "eth1");
  CHECK(storage["linkinfo"]["info_data"]["id"] == 100);
  CHECK(addresses(guest, "storage") == List{"203.0.113.5/24"});
  CHECK(link(guest, "eth1.200")["linkinfo"]["info_data"]["id"] == 200);
  CHECK(is_up(link(guest, "eth1.200")));

  CHECK(link(guest, "br0")["linkinfo"]["info_kind"] == "bridge");
  CHECK(addresses(guest, "br0") == List{"10.9.0.1/24"});
  CHECK(link(guest, "eth2")["master"] == "br0");
  CHECK(link(guest, "eth1.400")["master"] == "br0");
  CHECK(link(guest, "upon")["link"] == "br0");
  CHECK(addresses(guest, "upon") == List{"10.9.3.1/24"});

  const json bond = link(guest, "bond0")["linkinfo"]["info_data"];
  CHECK(bond["mode"] == "active-backup");
  CHECK(bond["miimon"] == 100);
  CHECK(addresses(guest, "bond0") == List{"10.8.0.1/24"});
  for (const char* port : {"eth3", "eth4"}) {
    CHECK(link(guest, port)["master"] == "bond0");
    CHECK(is_up(link(guest, port)));
  }
}

// The other card takes over when the one in use loses its link.
void check_failover(Guest& guest) {
  const std::string active = "/sys/class/net/bond0/bonding/active_slave";
  const std::string first = guest.run("cat " + active);
  CHECK((first == "eth3" || first == "eth4"));
  guest.root("ip link set dev " + first + " down");
  await(guest, "grep -qx " + std::string{first == "eth3" ? "eth4" : "eth3"} + " " + active);
  guest.root("ip link set dev " + first + " up");
}

void check_askers(Guest& guest) {
  await(guest, "ip address show dev eth7 | grep -qF 169.254.");
  INFO("eth8 had no link at boot");
  CHECK(guest.run("cat /sys/class/net/eth8/carrier") == "0");
  CHECK_THAT(guest.run("ip address show dev eth8"), !Catch::Contains("10.6.0."));
  guest.monitor("set_link net8 on");
  await(guest, "ip address show dev eth8 | grep -qF 10.6.0.");
  await(guest, "ip -6 address show dev eth6 | grep -qF fec0:");
  CHECK_THAT(guest.run("ip -6 address show dev eth8"), !Catch::Contains("fec0:"));
  INFO("one dhcpcd, whatever the number of cards");
  CHECK(guest.root("for p in $(pidof dhcpcd); do tr '\\0' ' ' < /proc/$p/cmdline; echo; done | "
                   "grep -c 'privileged proxy'") == "1");
}

// A router in a network namespace, with DHCPv6 that gives addresses, at the other end of a link
// that comes while the box runs.
void check_dhcpv6(Guest& guest) {
  use_programs(guest);
  guest.root(
      "ip netns add far && ip link add far0 netns far type veth peer name near0 && "
      "ip -n far link set far0 up && ip -n far address add fd00:6::1/64 dev far0 nodad");
  guest.root("ip netns exec far " + kCarried +
             "dnsmasq --conf-file=/dev/null --user=root --interface=far0 --bind-interfaces --port=0"
             " --enable-ra --dhcp-range=fd00:6::100,fd00:6::1ff,64,1h"
             " --dhcp-leasefile=/run/far.leases --pid-file=/run/far.pid");
  await(guest, "ip -6 address show dev near0 | grep -qE 'fd00:6::1[0-9a-f]{2}/128'");
  CHECK_THAT(guest.root("cat /run/far.leases"), Catch::Contains("fd00:6::1"));
  await(guest, "ip -6 route show default dev near0 | grep -q 'proto ra'");
  guest.root("kill $(cat /run/far.pid) && ip netns delete far");
}

}  // namespace

TEST_CASE("network: addresses, routes, VLANs, a bridge, a bond, DHCP and hooks", "[boot]") {
  ros::TempDir dir;
  Guest guest{machine(dir.path())};
  guest.monitor("set_link net8 off");
  guest.expect_ready();
  check_cards(guest);
  check_virtual_links(guest);
  check_failover(guest);
  check_askers(guest);

  await(guest, "grep -q post_cmds /run/order");
  CHECK(guest.run("cat /run/order") == "pre_cmds\npre_up eth2\npost_up eth2\npost_cmds");

  // What DHCP says is used where nothing else is configured: not for name servers here.
  await(guest, "[ \"$(hostname)\" = named-by-dhcp ]");
  CHECK_THAT(guest.run("cat /etc/hosts"), Catch::Contains("127.0.1.1\tnamed-by-dhcp"));
  CHECK_THAT(guest.run("ip route show default dev eth6"), Catch::Contains("metric 500"));
  CHECK_THAT(guest.run("cat /etc/resolv.conf"),
             Catch::EndsWith("search example.internal\nnameserver 10.0.2.3\nnameserver fec0::3"));

  check_dhcpv6(guest);

  // A card that is pulled out and put in again.
  guest.root(
      "card=$(readlink -f /sys/class/net/eth6/device/..) && echo 1 > $card/remove && "
      "! [ -e /sys/class/net/eth6 ] && echo 1 > /sys/bus/pci/rescan");
  await(guest, "ip address show dev eth6 | grep -qF 10.7.0.");

  // The service started anew applies what has changed, takes the old away, and
  // leaves the rest, this connection among it, alone.
  guest.root(
      "printf 'rancher: {network: {interfaces: {eth1: {address: 192.0.2.20/24}, "
      "br0: {address: 10.9.0.2/24}}}}' | ros config merge && ros service restart network");
  await(guest, "ip address show dev br0 | grep -qF 10.9.0.2/24");
  await(guest, "ip address show dev storage | grep -qF 203.0.113.5/24");
  CHECK(addresses(guest, "eth1") == List{"192.0.2.20/24"});
  CHECK(addresses(guest, "br0") == List{"10.9.0.2/24"});
  CHECK(link(guest, "eth2")["master"] == "br0");
  CHECK_THAT(guest.console(), !Catch::Contains("error: network"));
  CHECK(addresses(guest, "eth0") == List{"10.0.2.15/24", "fec0::15/64"});
}
