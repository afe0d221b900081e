// Wireless networks, with two emulated cards of the kernel: one is ours, the other an
// access point that this test makes out of the same programs.
#include <catch2/catch.hpp>

#include "tests/boot/scenario.h"

using namespace proof;

namespace {

constexpr const char* kUserData = R"(
rancher:
  network:
    pre_cmds: [[modprobe, mac80211_hwsim, radios=2]]
    interfaces:
      eth0: {dhcp: true}
      wlan0: {wifi_network: home, dhcp: true}
      wlan1: {address: 10.5.0.1/24}
    wifi_networks:
      home: {ssid: "a \"quoted\" name", psk: a secret of ours}
    modem_networks:
      wwan0: {apn: internet.example}
)";

// In the kernel's hands from end to end: channel, scan, WPA2's handshake.
constexpr const char* kAccessPoint = R"(network={
  ssid=61202271756f74656422206e616d65
  mode=2
  frequency=2412
  key_mgmt=WPA-PSK
  proto=RSN
  pairwise=CCMP
  psk="a secret of ours"
}
)";

void start_access_point(Guest& guest) {
  guest.root("wpa_supplicant -B -P /run/ap.pid -i wlan1 -c /run/ap.conf");
}

}  // namespace

TEST_CASE("radio: a wireless network is joined, asked for an address, lost and joined again",
          "[boot][matrix]") {
  ros::TempDir dir;
  Guest guest{{.name = "radio",
               .disks = {{.path = state_disk(dir.path()), .bus = Bus::virtio}},
               .user_data = kUserData,
               .arguments = {"-kernel", artifact("4glte", "vmlinuz").string(), "-initrd",
                             artifact("4glte", "initrd").string(), "-append",
                             "console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 panic=10 "
                             "rancher.state.dev=LABEL=RANCHER_STATE"}}};
  guest.expect_ready();
  guest.root("cat > /run/ap.conf << 'END'\n" + std::string{kAccessPoint} + "END");
  guest.root(
      "printf 'start 10.5.0.20\\nend 10.5.0.29\\ninterface wlan1\\n' > /run/udhcpd.conf && "
      "mkdir -p /var/lib/misc && touch /var/lib/misc/udhcpd.leases && "
      "busybox udhcpd /run/udhcpd.conf");
  start_access_point(guest);
  // -s: where both see the socket of wpa_cli, whose service is another container's.
  const std::string state = "sudo wpa_cli -s /run -i wlan0 status";
  await(guest, state + " | grep -qx wpa_state=COMPLETED");
  CHECK_THAT(guest.run(state), Catch::Contains("key_mgmt=WPA2-PSK"));
  await(guest, "ip address show dev wlan0 | grep -qF 10.5.0.2");
  CHECK(guest.root("stat -c %a /run/ros/net/wlan0.wpa") == "600");

  guest.root("kill $(cat /run/ap.pid)");
  await(guest, "! " + state + " | grep -qx wpa_state=COMPLETED");
  start_access_point(guest);
  await(guest, state + " | grep -qx wpa_state=COMPLETED");

  // The network brings an address of its own.
  guest.root(
      "printf 'rancher: {network: {interfaces: {wlan0: {dhcp: false}}, "
      "wifi_networks: {home: {address: 10.5.0.9/24}}}}' | ros config merge && "
      "ros service restart network");
  await(guest, "ip address show dev wlan0 | grep -qF 10.5.0.9/24");
  await(guest, state + " | grep -qx wpa_state=COMPLETED");

  // No modem can be had here; its manager runs and answers, and obeys root.
  await(guest, "sudo mmcli --list-modems | grep -qF 'No modems were found'");
  await(guest, "sudo mmcli --scan-modems | grep -qF successfully");
}
