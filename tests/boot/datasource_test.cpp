// Where a box gets its configuration from, and that what a source says of the network
// counts in the same boot. Every second boot has another source than the first.
#include <catch2/catch.hpp>

#include "runtime/base/text.h"
#include "tests/boot/scenario.h"
#include "tests/support/http_server.h"

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

void await(Guest& guest, const std::string& command) {
  INFO(command);
  CHECK(guest.try_run("for i in $(seq 90); do " + command + " && exit; sleep 1; done; exit 1")
            .status == 0);
}

void await_address(Guest& guest, const std::string& interface, const std::string& address) {
  await(guest, "ip address show dev " + interface + " | grep -qF " + address);
}

// For the next boot; what the datasources of this one said is kept beside it.
void set_datasource(Guest& guest, const std::string& source) {
  guest.root("echo 'rancher: {cloud_init: {datasources: [\"" + source +
             "\"]}}' > /var/lib/rancher/conf/cloud-config.d/90-sources.yml");
}

}  // namespace

TEST_CASE("datasource: a config drive is a shared folder, then a FAT disk", "[boot]") {
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
          "[boot]") {
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

  set_datasource(guest, "tftp:10.7.0.2/user-data");
  guest.reboot();
  await(guest, "[ \"$(hostname)\" = named-by-tftp ]");
}

TEST_CASE("datasource: NoCloud with its network-config, then a URL with a bridge and a VLAN",
          "[boot]") {
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
  set_datasource(guest, "url:http://10.0.2.2:1/none");
  guest.root("ros config set rancher.cloud_init.wait 3");
  guest.reboot();
  guest.expect("error: url http://10.0.2.2:1/none: ", seconds{180});
  await_address(guest, "br0", "10.9.0.9/24");
}

TEST_CASE("datasource: EC2 with tokens, then DigitalOcean, both at 169.254.169.254", "[boot]") {
  ros::TempDir dir;
  ros::test::HttpServer service;
  // QEMU starts this for each connection to the address of the services.
  const fs::path forward = dir.path() / "forward";
  ros::write_file(forward, "exec 3<>/dev/tcp/127.0.0.1/" +
                               service.url().substr(service.url().rfind(':') + 1) +
                               "\ncat <&0 >&3 &\nexec cat <&3\n");
  auto box = machine("ec2-digitalocean", dir.path(), kClosed);
  box.nic += ",net=169.254.169.0/24,restrict=on,guestfwd=tcp:169.254.169.254:80-cmd:/bin/bash " +
             forward.string();
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
              "rancher: {docker: {registry_mirror: ['http://192.0.2.9:5000']}}\n");
  guest.expect_ready();
  CHECK(guest.run("hostname") == "given.example.internal");
  await(guest, "[ -s /etc/ran ]");
  await(guest, "docker info -f '{{.RegistryConfig.Mirrors}}' | grep -qF http://192.0.2.9:5000");
  for (const auto& request : service.requests()) {
    INFO(request);
    if (request.find(" /latest/") == request.npos) continue;  // DigitalOcean's, asked beside it
    const bool has_token = request.find(": token-of-this-session\r\n") != request.npos;
    CHECK(has_token != request.starts_with("PUT "));
  }

  service.put("/metadata/v1/user-data", "");
  service.put("/metadata/v1.json", R"({"hostname": "droplet", "interfaces": {
      "public": [{"mac": "52:54:00:12:34:56", "ipv4": {"ip_address": "169.254.169.15",
                  "netmask": "255.255.255.0", "gateway": "169.254.169.2"}}],
      "private": [{"mac": "52:54:00:00:00:01", "ipv4": {"ip_address": "192.0.2.6",
                   "netmask": "255.255.255.0"}}]}})");
  // EC2 is listed first and says nothing any more.
  service.put_raw("PUT /latest/api/token", {ros::test::HttpServer::answer(404, "")});
  for (const char* gone : {"public-keys", "public-keys/0/openssh-key", "hostname"})
    service.put_raw("GET /latest/meta-data/" + std::string{gone},
                    {ros::test::HttpServer::answer(404, "")});
  service.put_raw("GET /latest/user-data", {ros::test::HttpServer::answer(404, "")});
  guest.reboot();
  guest.expect("eth1 192.0.2.6", seconds{180});
  await(guest, "[ \"$(hostname)\" = droplet ]");
  await_address(guest, "eth1", "192.0.2.6/24");
  CHECK_THAT(guest.run("ip route show default"), Catch::Contains("via 169.254.169.2 dev eth0"));
}
