// Where a box gets its configuration from, and that what a source says of the network
// counts in the same boot. Every second boot has another source than the first.
#include <catch2/catch.hpp>

#include "runtime/base/text.h"
#include "tests/boot/scenario.h"
#include "tests/boot/service.h"

using namespace proof;

namespace {

// A machine with a card eth1 beside its own, in a network of the given options.
Machine machine(const std::string& name, const fs::path& folder, const std::string& network) {
  return {.name = name,
          .disks = {{.path = state_disk(folder), .bus = Bus::virtio}},
          .arguments = {"-netdev", "user,id=more," + network, "-device",
                        "virtio-net-pci,netdev=more,mac=52:54:00:00:00:01", "-kernel",
                        artifact("amd64", "vmlinuz").string(), "-initrd",
                        artifact("amd64", "initrd").string(), "-append",
                        "console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 panic=10 "
                        "rancher.state.dev=LABEL=RANCHER_STATE"}};
}

constexpr const char* kClosed = "restrict=on,ipv6=off";

// network_data.json: eth0 asks DHCP; what is to be said of eth1 is added.
std::string network_data(const std::string& links, const std::string& networks) {
  return R"({"links": [{"id": "a", "type": "phy", "ethernet_mac_address": "52:54:00:12:34:56"},
      {"id": "b", "type": "phy", "ethernet_mac_address": "52:54:00:00:00:01"})" +
         links + R"(], "networks": [{"id": "n0", "type": "ipv4_dhcp", "link": "a"})" + networks +
         "]}";
}

void await_address(Guest& guest, const std::string& interface, const std::string& address) {
  await(guest, "ip address show dev " + interface + " | grep -qF " + address);
}

constexpr const char* kSources = "var/lib/rancher/conf/cloud-config.d/90-sources.yml";

std::string sources_config(const std::string& list) {
  return "rancher: {cloud_init: {datasources: [" + list + "]}}\n";
}

// For the next boot; what the datasources of this one said is kept beside it.
void set_datasource(Guest& guest, const std::string& list) {
  guest.root("echo " + ros::quote(sources_config(list)) + " > /" + kSources);
}

}  // namespace

TEST_CASE("datasource: a config drive is a shared folder, then a FAT disk", "[boot][matrix]") {
  ros::TempDir dir;
  auto box = machine("config-drive-9p-fat", dir.path(), kClosed);
  box.seed = Seed::share;
  box.user_data = "write_files:\n  - {path: /opt/shared, content: by 9p}\n";
  box.seed_files["openstack/latest/network_data.json"] = network_data(
      "", R"(, {"id": "n1", "type": "ipv4", "link": "b", "ip_address": "192.0.2.7/24"})");
  box.disks.push_back({.path = empty_disk(dir.path(), 64u << 20), .bus = Bus::virtio});
  Guest guest{box};
  guest.expect_ready();
  CHECK(guest.run("hostname") == "named-by-drive");
  CHECK(guest.run("cat /opt/shared") == "by 9p");
  await_address(guest, "eth1", "192.0.2.7/24");

  guest.root(
      "mkfs.vfat -n config-2 /dev/vdb >/dev/null && mount -t vfat /dev/vdb /mnt && "
      "mkdir -p /mnt/openstack/latest && cd /mnt/openstack/latest && "
      "echo '{\"hostname\": \"named-by-fat\"}' > meta_data.json && cat > network_data.json << "
      "'END'\n" +
      network_data("",
                   R"(, {"id": "n1", "type": "ipv4", "link": "b", "ip_address": "192.0.2.8/24"})") +
      "\nEND\ncd / && umount /mnt");
  guest.reboot();
  CHECK(guest.run("hostname") == "named-by-fat");
  await_address(guest, "eth1", "192.0.2.8/24");
  CHECK_THAT(guest.run("ip address show dev eth1"), !Catch::Contains("192.0.2.7"));
}

TEST_CASE("datasource: a config drive is a CD, then a source saved in cloud-config.d, TFTP, counts",
          "[boot][matrix]") {
  ros::TempDir dir;
  ros::write_file(dir.path() / "tftp/user-data", "#cloud-config\nhostname: named-by-tftp\n");
  auto box = machine("config-drive-iso", dir.path(),
                     "net=10.7.0.0/24,tftp=" + (dir.path() / "tftp").string());
  box.seed = Seed::config_drive;
  box.user_data = "write_files:\n  - {path: /opt/drive, content: by CD}\n";
  box.seed_files["openstack/latest/network_data.json"] =
      network_data(R"(, {"id": "tagged", "type": "vlan", "vlan_link": "b", "vlan_id": 30})",
                   R"(, {"id": "n1", "type": "ipv4_dhcp", "link": "b"},
         {"id": "n2", "type": "ipv4", "link": "tagged", "ip_address": "203.0.113.7",
          "netmask": "255.255.255.0"})");
  Guest guest{box};
  guest.expect_ready();
  CHECK(guest.run("hostname; cat /opt/drive") == "named-by-drive\nby CD");
  await_address(guest, "eth1", "10.7.0.");
  await_address(guest, "tagged", "203.0.113.7/24");
  CHECK_THAT(guest.run("ip -details link show dev tagged"),
             Catch::Contains("vlan protocol 802.1Q id 30"));

  set_datasource(guest, "'tftp:10.7.0.2/user-data'");
  guest.reboot();
  await(guest, "[ \"$(hostname)\" = named-by-tftp ]");
}

TEST_CASE("datasource: NoCloud with its network-config, then a URL with a bridge and a VLAN",
          "[boot][matrix]") {
  ros::TempDir dir;
  ros::test::HttpServer server;
  server.put("/config",
             "#cloud-config\nrancher:\n  network:\n    interfaces:\n"
             "      eth0: {dhcp: true}\n"
             "      eth1: {bridge: br0, vlans: \"40:tagged\"}\n"
             "      tagged: {address: 203.0.113.9/24}\n"
             "      br0: {bridge: true, address: 10.9.0.9/24}\n");
  auto box = machine("nocloud-url", dir.path(), kClosed);
  box.arguments.back() +=
      " cloud-config-url=" + ros::replace_all(server.url(), "127.0.0.1", "10.0.2.2") + "/config";
  box.seed_files["network-config"] =
      "version: 2\nethernets:\n"
      "  own: {match: {macaddress: '52:54:00:12:34:56'}, dhcp4: true}\n"
      "  eth1: {addresses: [192.0.2.9/24], mtu: 1300}\n";
  Guest guest{box};
  guest.expect_ready();
  await_address(guest, "eth1", "192.0.2.9/24");
  CHECK(guest.run("cat /sys/class/net/eth1/mtu") == "1300");

  set_datasource(guest, "cmdline");
  guest.reboot();
  guest.expect("br0 10.9.0.9", seconds{180});  // eth0 comes anew too, and what is connected breaks
  await_address(guest, "br0", "10.9.0.9/24");
  await_address(guest, "tagged", "203.0.113.9/24");
  CHECK_THAT(guest.run("ip link show dev eth1"), Catch::Contains("master br0"));
  CHECK_THAT(guest.run("ip address show dev eth1"), !Catch::Contains("192.0.2.9"));

  // Nobody there: the box says so and keeps what it has.
  set_datasource(guest, "'url:http://10.0.2.2:1/none'");
  guest.root("ros config set rancher.cloud_init.wait 3");
  guest.reboot();
  guest.expect("error: url http://10.0.2.2:1/none: ", seconds{180});
  await_address(guest, "br0", "10.9.0.9/24");
}

TEST_CASE("datasource: EC2 with tokens, then DigitalOcean, both at 169.254.169.254", "[boot]") {
  ros::TempDir dir;
  Service service{dir.path(), "169.254.169.254"};
  auto box = machine("ec2-digitalocean", dir.path(), kClosed);
  box.nic += ",net=169.254.169.0/24,restrict=on" + service.option();
  box.seed = Seed::none;
  box.arguments.back() += " rancher.cloud_init.datasources=[ec2,digitalocean]";
  Guest guest{box};
  const std::string key = ros::read_file(guest.folder() / "key.pub");
  service.put_raw("PUT /latest/api/token",
                  {ros::test::HttpServer::answer(200, "token-of-this-session")});
  service.put("/latest/meta-data/public-keys", "0=test");
  service.put("/latest/meta-data/public-keys/0/openssh-key", key);
  service.put("/latest/meta-data/hostname", "given.example.internal");
  service.put("/latest/user-data",
              "#cloud-config\nruncmd:\n  - echo ran > /etc/ran\n"
              "bootcmd: [echo early > /run/early]\n"
              "swap: {size: 16M}\n"
              "write_files:\n"
              "  - {path: /etc/docker/daemon.json, content: '{\"labels\": [\"by=file\"]}'}\n"
              "  - {path: /etc/by-ntp, content: x, container: ntp}\n"
              "rancher:\n"
              "  docker: {registry_mirror: ['http://192.0.2.9:5000']}\n"
              "  modules: [ip_vs]\n"
              "  shutdown_timeout: 50\n"
              "  sysctl: {net.ipv4.vs.conntrack: '1'}\n");
  guest.expect_ready();
  CHECK(guest.run("hostname") == "given.example.internal");
  await(guest, "[ -s /etc/ran ]");
  const auto check_all = [&] {
    CHECK(guest.run("cat /proc/sys/net/ipv4/vs/conntrack /run/early /run/ros/shutdown-timeout") ==
          "1\nearly\n50");
    await(guest, "grep -q ^/var/lib/rancher/swap /proc/swaps");
    await(guest, "sudo -n system-docker exec ntp test -e /etc/by-ntp");
    CHECK(guest.run("docker info -f '{{.RegistryConfig.Mirrors}} {{.Labels}}'") ==
          "[http://192.0.2.9:5000/] [by=file]");
  };
  await(guest, "docker info -f '{{.RegistryConfig.Mirrors}}' | grep -qF http://192.0.2.9:5000");
  check_all();
  // What does not go by any of it has not started again.
  CHECK(guest.root("pid=$(system-docker inspect -f '{{.State.Pid}}' syslog);"
                   " [ $(($(cut -d' ' -f22 /proc/$pid/stat) / 100)) -le"
                   " $(cut -d. -f1 /run/ros/ready) ] && echo same") == "same");
  for (const auto& request : service.requests()) {
    INFO(request);
    if (request.find(" /latest/") == request.npos) continue;  // DigitalOcean's, asked beside it
    const bool has_token = request.find(": token-of-this-session\r\n") != request.npos;
    CHECK(has_token != request.starts_with("PUT "));
  }

  service.clear();  // EC2 is listed first and says nothing any more
  service.put("/metadata/v1/user-data", "");
  service.put("/metadata/v1.json", R"({"hostname": "droplet", "interfaces": {
      "public": [{"mac": "52:54:00:12:34:56", "ipv4": {"ip_address": "169.254.169.15",
                  "netmask": "255.255.255.0", "gateway": "169.254.169.2"}}],
      "private": [{"mac": "52:54:00:00:00:01", "ipv4": {"ip_address": "192.0.2.6",
                   "netmask": "255.255.255.0"}}]}})");
  guest.reboot();
  guest.expect("eth1 192.0.2.6", seconds{180});
  await(guest, "[ \"$(hostname)\" = droplet ]");
  await_address(guest, "eth1", "192.0.2.6/24");
  CHECK_THAT(guest.run("ip route show default"), Catch::Contains("via 169.254.169.2 dev eth0"));
  check_all();  // what is kept counts from the start
}

TEST_CASE("datasource: GCE found by `*`, Azure with its report, Packet with its bond",
          "[boot][matrix]") {
  ros::TempDir dir;
  Service metadata{dir.path(), "169.254.169.254"};
  Service wire_server{dir.path(), "168.63.129.16"};
  auto box = machine("gce-azure-packet", dir.path(), kClosed);
  box.nic += ",net=168.0.0.0/7,restrict=on" + metadata.option() + wire_server.option();
  box.seed = Seed::none;
  box.disks[0].path = state_disk(dir.path(), {{kSources, sources_config("'*'")}});
  Guest guest{box};
  const std::string key{ros::trim(ros::read_file(guest.folder() / "key.pub"))};

  metadata.put_below(
      "/computeMetadata/v1/",
      {{"project/?recursive=true", R"({"attributes": {"ssh-keys": "root:ssh-rsa AAAA shared"}})"},
       {"instance/?recursive=true",
        R"({"hostname": "gce.example.internal", "attributes": {"ssh-keys": "alice:)" + key +
            R"(", "startup-script": "#!/bin/sh\necho ran > /etc/by-gce"}})"}});
  guest.expect_ready();
  await(guest, "[ -s /etc/by-gce ]");
  CHECK(guest.run("hostname") == "gce.example.internal");
  CHECK(guest.run("grep -c ' shared$' .ssh/authorized_keys") == "1");

  // "#cloud-config" that writes /etc/by-azure.
  metadata.clear();
  metadata.put("/metadata/instance?api-version=2021-02-01&format=json",
               R"({"compute": {"name": "azure", "publicKeys": [], "customData":
      "I2Nsb3VkLWNvbmZpZwpydW5jbWQ6IFtlY2hvIHJhbiA+IC9ldGMvYnktYXp1cmVdCg=="}})");
  wire_server.put("/machine/?comp=goalstate",
                  "<GoalState><Incarnation>1</Incarnation><Container><ContainerId>c-1"
                  "</ContainerId><RoleInstanceList><RoleInstance><InstanceId>i-1</InstanceId>"
                  "</RoleInstance></RoleInstanceList></Container></GoalState>");
  wire_server.put_raw("POST /machine/?comp=health", {Service::answer(200, "")});
  set_datasource(guest, "azure");
  guest.reboot();
  await(guest, "[ -s /etc/by-azure ]");
  CHECK(guest.run("hostname") == "azure");
  CHECK_THAT(wire_server.wait_for("POST /machine/?comp=health ", seconds{120}),
             Catch::Contains("<ContainerId>c-1<") && Catch::Contains("<State>Ready<"));

  // ssh comes through its bond. Packet's own are 802.3ad, which no emulated card can be part of.
  metadata.clear();
  metadata.put("/metadata", R"({"hostname": "packet", "network": {"bonding": {"mode": 1},
      "interfaces": [{"name": "eth0", "mac": "52:54:00:12:34:56", "bond": "bond0"}],
      "addresses": [{"public": true, "address": "168.0.2.15", "cidr": 7, "gateway": "168.0.2.2"},
          {"public": false, "address": "10.64.3.5", "cidr": 31, "gateway": "10.64.3.4"}]}})");
  set_datasource(guest, "'packet:http://169.254.169.254'");
  guest.reboot();
  guest.expect("bond0 168.0.2.15", seconds{180});
  CHECK(guest.run("hostname") == "packet");
  CHECK_THAT(guest.run("cat /proc/net/bonding/bond0"),
             Catch::Contains("active-backup") && Catch::Contains("Slave Interface: eth0"));
  CHECK_THAT(guest.run("ip route"), Catch::Contains("10.0.0.0/8 via 10.64.3.4 dev bond0"));
}

TEST_CASE(
    "datasource: Exoscale by its firmware, Cloudstack's router, Aliyun after a broken OpenStack",
    "[boot][matrix]") {
  ros::TempDir dir;
  Service metadata{dir.path(), "169.254.169.254"};
  Service router{dir.path(), "169.254.169.1"};
  Service aliyun{dir.path(), "100.100.100.200"};
  auto box = machine("exoscale-cloudstack-aliyun", dir.path(),
                     "net=100.100.100.0/24,restrict=on" + aliyun.option());
  box.nic += ",net=169.254.169.0/24,restrict=on" + metadata.option() + router.option();
  box.seed = Seed::none;
  box.disks[0].path = state_disk(
      dir.path(),
      {{kSources, sources_config("")},
       // Only the DHCP server has metadata in a Cloudstack, and QEMU's serves no HTTP. The network
       // with the service may get its lease long after the other one, under emulation.
       {"var/lib/rancher/conf/cloud-config.d/80-router.yml",
        "rancher: {cloud_init: {wait: 180}, network: {pre_cmds: [\"iptables -w -t nat -A OUTPUT -p "
        "tcp -d 169.254.169.2 "
        "--dport 80 -j DNAT --to-destination 169.254.169.1\"]}}\n"}});
  box.arguments.insert(box.arguments.end(), {"-smbios", "type=1,product=Exoscale Test"});
  Guest guest{box};
  const std::string key{ros::trim(ros::read_file(guest.folder() / "key.pub"))};

  metadata.put("/1.0/meta-data/local-hostname", "exoscale");
  metadata.put("/1.0/meta-data/public-keys", "0=test");
  metadata.put("/1.0/meta-data/public-keys/0/openssh-key", key);
  guest.expect_ready();
  await(guest, "[ \"$(hostname)\" = exoscale ]");

  metadata.clear();
  router.put_below("/latest/", {{"meta-data/local-hostname", "cloudstack\n"},
                                {"meta-data/public-keys", key + "\nssh-rsa AAAA router\n"}});
  set_datasource(guest, "cloudstack");
  guest.reboot();
  await(guest, "[ \"$(hostname)\" = cloudstack ]");
  await(guest, "grep -q ' router$' .ssh/authorized_keys");
  CHECK_THAT(guest.console(), !Catch::Contains("error: "));

  // A source whose documents are cut short is named, and the next one asked.
  metadata.put_below("/openstack/latest/", {{"meta_data.json", R"({"hostname": "half)"},
                                            {"network_data.json", R"({"links": [{"id": "a")"}});
  aliyun.put_raw("PUT /latest/api/token", {Service::answer(200, "token-of-this-session")});
  aliyun.put("/2016-01-01/meta-data/hostname", "aliyun");
  set_datasource(guest, "openstack, aliyun");
  // Whoever can be reached first is taken: here the broken one, whose card needs no lease.
  guest.root(
      "echo 'rancher: {network: {interfaces: {eth0: {address: 169.254.169.15/24}, eth1: {dhcp: "
      "true}}}}' > /var/lib/rancher/conf/cloud-config.d/90-static.yml");
  guest.reboot();
  for (const char* document : {"meta_data.json: it is no JSON", "network_data.json: it is no JSON"})
    guest.expect("error: openstack .*" + std::string{document}, seconds{400});
  await(guest, "[ \"$(hostname)\" = aliyun ]");
  CHECK_THAT(aliyun.wait_for("GET /2016-01-01/meta-data/hostname ", seconds{1}),
             Catch::Contains("X-aliyun-ecs-metadata-token: token-of-this-session\r\n"));
}

TEST_CASE("datasource: Proxmox' CD of any label, VMware's OVF environment, and nobody at all",
          "[boot][matrix]") {
  ros::TempDir dir;
  auto box = machine("proxmox-ovf", dir.path(), kClosed);
  make_key(box.key = dir.path() / "key");
  const std::string keys = "#cloud-config\nssh_authorized_keys: ['" +
                           std::string{ros::trim(ros::read_file(dir.path() / "key.pub"))} + "']\n";
  box.nic += ",restrict=on";
  box.disks[0].path = state_disk(dir.path(), {{kSources, sources_config("proxmox")}});
  box.disks.push_back({.path = make_cd(dir.path(), "any",
                                       {{"user-data", keys},
                                        {"meta-data", "local-hostname: proxmox\n"},
                                        {"network-config", R"(version: 1
config:
  - {type: physical, name: own, mac_address: "52:54:00:12:34:56", subnets: [{type: dhcp}]}
  - type: physical
    name: more
    mac_address: "52:54:00:00:00:01"
    mtu: 1300
    subnets: [{type: static, address: 192.0.2.11/24}]
  - type: vlan
    name: tagged
    vlan_link: more
    vlan_id: 50
    subnets: [{type: static, address: 203.0.113.11, netmask: 255.255.255.0}]
  - {type: nameserver, address: [192.0.2.53], search: [example.internal]}
)"}}),
                       .bus = Bus::cdrom});
  box.disks.push_back({.path = make_cd(dir.path(), "OVF ENV",
                                       {{"ovf-env.xml", R"(<?xml version="1.0"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"
    xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"><PropertySection>
  <Property oe:key="guestinfo.hostname" oe:value="ovf"/>
  <Property oe:key="guestinfo.interface.0.mac" oe:value="52:54:00:12:34:56"/>
  <Property oe:key="guestinfo.interface.0.dhcp" oe:value="yes"/>
  <Property oe:key="guestinfo.interface.1.mac" oe:value="52:54:00:00:00:01"/>
  <Property oe:key="guestinfo.interface.1.ip.0.address" oe:value="192.0.2.12"/>
  <Property oe:key="guestinfo.interface.1.ip.0.netmask" oe:value="255.255.255.0"/>
  <Property oe:key="guestinfo.cloud-init.config.data" oe:value=")" +
                                                            ros::replace_all(keys, "\n", "&#10;") +
                                                            R"("/>
</PropertySection></Environment>)"}}),
                       .bus = Bus::cdrom});
  box.arguments.insert(box.arguments.end(), {"-smbios", "type=1,manufacturer=VMware"});
  Guest guest{box};
  guest.expect_ready();
  CHECK(guest.run("hostname") == "proxmox");
  await_address(guest, "eth1", "192.0.2.11/24");
  await_address(guest, "tagged", "203.0.113.11/24");
  CHECK(guest.run("cat /sys/class/net/eth1/mtu") == "1300");
  CHECK_THAT(guest.run("cat /etc/resolv.conf"),
             Catch::Contains("search example.internal\nnameserver 192.0.2.53"));

  set_datasource(guest, "");  // the firmware names VMware
  guest.reboot();
  CHECK(guest.run("hostname") == "ovf");
  await_address(guest, "eth1", "192.0.2.12/24");
  CHECK_THAT(guest.run("ip address show dev eth1"), !Catch::Contains("192.0.2.11"));
  CHECK_THAT(guest.console(), !Catch::Contains("error: "));

  // Ready comes first; what is known already counts on.
  guest.monitor("eject -f disk2");  // the environment's, the third of its disks
  guest.root("ros config set rancher.cloud_init.wait 3");
  set_datasource(guest, "ec2, gce");
  guest.reboot();
  guest.expect("error: rancher.cloud_init.datasources: none of ec2, gce answered within 3 s",
               seconds{180});
  await_address(guest, "eth1", "192.0.2.12/24");
}
