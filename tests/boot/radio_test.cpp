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

// An enterprise's: each has a password of their own, shown to nobody but the server that the
// authority vouches for.
constexpr const char* kOffice = R"(interface=wlan1
driver=nl80211
ssid=office
hw_mode=g
channel=1
wpa=2
wpa_key_mgmt=WPA-EAP
rsn_pairwise=CCMP
ieee8021x=1
eap_server=1
eap_user_file=/run/eap/users
ca_cert=/run/eap/ca.pem
server_cert=/run/eap/server.pem
private_key=/run/eap/server.key
)";

// hostapd's OpenSSL does not start without it (the box's is of another version), nor has it MD4.
constexpr const char* kLegacyProvider = "/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so";

constexpr const char* kJoinOffice = R"(
rancher:
  network:
    interfaces: {wlan0: {wifi_network: office}}
    wifi_networks:
      office:
        ssid: office
        key_mgmt: WPA-EAP
        eap: PEAP
        identity: somebody
        anonymous_identity: nobody
        password: theirs
        phases: ["", auth=MSCHAPV2]
        ca_certs: [/run/eap/ca.pem]
        address: 10.5.0.30/24
)";

void make_certificates(Guest& guest) {
  guest.root(
      "mkdir -p /run/eap && cd /run/eap && "
      "printf '\"nobody\" PEAP\\n\"somebody\" MSCHAPV2 \"theirs\" [2]\\n' > users && "
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout ca.key -out "
      "ca.pem"
      " -days 30 -subj /CN=authority 2>/dev/null && "
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout server.key"
      " -out server.pem -days 30 -subj /CN=radius -CA ca.pem -CAkey ca.key 2>/dev/null");
}

void start_access_point(Guest& guest) {
  guest.root("wpa_supplicant -B -P /run/ap.pid -i wlan1 -c /run/ap.conf");
}

}  // namespace

TEST_CASE("radio: a wireless network is joined, asked for an address, lost and joined again",
          "[boot][matrix]") {
  ros::TempDir dir;
  Guest guest{{.name = "radio",
               .disks = {{.path = state_disk(dir.path()), .bus = Bus::virtio},
                         {.path = programs_cd(dir.path(), {"/usr/sbin/hostapd", kLegacyProvider}),
                          .bus = Bus::cdrom}},
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

  // A network that asks who one is.
  guest.root("kill $(cat /run/ap.pid)");
  use_programs(guest);
  make_certificates(guest);
  guest.root("cat > /run/eap/hostapd.conf << 'END'\n" + std::string{kOffice} + "END");
  guest.root("OPENSSL_MODULES=/run/programs " + kCarried +
             "hostapd -B -P /run/eap/pid /run/eap/hostapd.conf");
  guest.root("ros config merge << 'END'\n" + std::string{kJoinOffice} +
             "END\nros service restart network");
  await(guest, state + " | grep -qx wpa_state=COMPLETED");
  CHECK_THAT(guest.run(state), Catch::Contains("ssid=office") && Catch::Contains("EAP-PEAP"));
  await(guest, "ip address show dev wlan0 | grep -qF 10.5.0.30/24");

  // No modem can be had here; its manager runs and answers, and obeys root.
  await(guest, "sudo mmcli --list-modems | grep -qF 'No modems were found'");
  await(guest, "sudo mmcli --scan-modems | grep -qF successfully");
}
