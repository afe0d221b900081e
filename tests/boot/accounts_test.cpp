// Accounts, passwords and keys over a reboot, and the scripts of the owner.
#include <catch2/catch.hpp>

#include "tests/boot/scenario.h"

using namespace proof;

TEST_CASE("accounts: what was made and changed is right after a reboot", "[boot][matrix]") {
  ros::TempDir dir;
  Guest guest{{.name = "accounts",
               .disks = {{.path = state_disk(dir.path()), .bus = Bus::virtio}},
               .user_data = "users:\n"
                            "  - default\n"
                            "  - name: alice\n"
                            "    groups: docker\n"
                            "    sudo: ALL=(ALL) NOPASSWD:ALL\n"
                            "    ssh_authorized_keys: [ssh-ed25519 AAAA revoked]\n"
                            "  - bob\n"
                            "write_files:\n"
                            "  - path: /opt/rancher/bin/start.sh\n"
                            "    content: echo start > /run/started\n"
                            "  - path: /etc/rc.local\n"
                            "    permissions: '0755'\n"
                            "    content: |\n"
                            "      #!/bin/sh\n"
                            "      wait-for-docker && echo rc > /run/rc-ran\n",
               .arguments = {"-kernel", artifact("vmware", "vmlinuz").string(), "-initrd",
                             artifact("vmware", "initrd").string(), "-append",
                             "console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 panic=10 "
                             "rancher.state.dev=LABEL=RANCHER_STATE"}}};
  guest.expect_ready();
  const std::string wait = "for i in $(seq 90); do [ -s /run/rc-ran ] && break; sleep 1; done; ";
  CHECK(guest.run(wait + "cat /run/started /run/rc-ran") == "start\nrc");
  CHECK(guest.run("id -u alice; id -u bob") == "1102\n1103");
  CHECK(guest.run("sudo -u alice sudo id -u") == "0");
  CHECK(guest.run("id -nG alice") == "alice docker");
  const std::string keys = "cat /home/alice/.ssh/authorized_keys | grep -v '^#'";
  CHECK(guest.root(keys) == "ssh-ed25519 AAAA revoked");
  guest.root("echo ssh-ed25519 BBBB mine >> /home/alice/.ssh/authorized_keys");
  guest.root("echo bob:secret-word | chpasswd");
  guest.root("useradd -u 1300 -m joe");
  const std::string hash = guest.root("grep '^bob:' /etc/shadow");
  CHECK(hash.starts_with("bob:$"));
  guest.root(
      "for i in $(seq 30); do cmp -s /etc/shadow /var/lib/rancher/accounts/shadow && exit; "
      "sleep 1; done; exit 1");
  // From now on without alice's key and in another order.
  // And nothing listens at this proxy.
  const std::string proxy = "http://127.0.0.1:9";
  guest.root("ros config set rancher.network.https_proxy " + proxy);
  guest.root("ros config set users '[bob, {name: carol}, {name: alice, groups: docker}]'");

  guest.reboot();
  CHECK(guest.run("id -u alice; id -u bob; id -u carol; id -u joe") == "1102\n1103\n1104\n1300");
  CHECK(guest.root("grep '^bob:' /etc/shadow") == hash);
  CHECK(guest.root(keys) == "ssh-ed25519 BBBB mine");
  CHECK(guest.run("stat -c %U /home/bob /home/joe") == "bob\njoe");

  const auto pull = [&](const std::string& docker) {
    return guest.try_run("sudo " + docker + " pull 192.0.2.1/image").output;
  };
  for (const char* docker : {"docker", "system-docker"})
    CHECK_THAT(pull(docker), Catch::Contains("proxyconnect tcp: dial tcp 127.0.0.1:9"));
  CHECK(guest.run("bash -lc 'echo $HTTPS_PROXY $https_proxy'") == proxy + " " + proxy);
  CHECK(guest.root("system-docker exec docker sh -c 'echo $HTTPS_PROXY $https_proxy'") ==
        proxy + " " + proxy);
}
