// cloud-config from a NoCloud disk and from the kernel command line, and `ros` on the box.
#include <catch2/catch.hpp>

#include "runtime/base/text.h"
#include "tests/boot/scenario.h"

using namespace proof;

TEST_CASE("config: cloud-config takes effect and ros answers", "[boot]") {
  ros::TempDir dir;
  Guest guest{{.name = "config",
               .disks = {{.path = state_disk(dir.path()), .bus = Bus::virtio}},
               .user_data = "hostname: tested\n"
                            "write_files:\n"
                            "  - path: /etc/written\n"
                            "    permissions: '0640'\n"
                            "    owner: rancher\n"
                            "    content: |\n"
                            "      some text\n"
                            "  - path: /etc/encoded\n"
                            "    encoding: b64\n"
                            "    content: ZW5jb2RlZA==\n"
                            "runcmd:\n"
                            "  - echo text > /etc/ran\n"
                            "  - [touch, '/etc/ran a list']\n",
               .arguments = {"-kernel", artifact("amd64", "vmlinuz").string(), "-initrd",
                             artifact("amd64", "initrd").string(), "-append",
                             "console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 panic=10 "
                             "rancher.state.dev=LABEL=RANCHER_STATE "
                             "rancher.environment.FROM=cmdline cc.hostname=stronger"}}};
  guest.expect_ready();

  CHECK(guest.run("hostname") == "stronger");  // the kernel command line beats user-data
  CHECK(guest.run("cat /etc/ran; ls '/etc/ran a list'") == "text\n/etc/ran a list");
  CHECK(guest.run("stat -c '%a %U' /etc/written; cat /etc/written") == "640 rancher\nsome text");
  CHECK(guest.run("cat /etc/encoded") == "encoded");

  CHECK(guest.root("ros config get hostname") == "stronger");
  CHECK(guest.root("ros config get rancher.environment.FROM") == "cmdline");
  guest.root("printf 'rancher:\\n  environment:\\n    MERGED: yes indeed\\n' | ros config merge");
  CHECK(guest.root("ros config get rancher.environment.MERGED") == "yes indeed");
  CHECK_THAT(guest.root("ros config export"), Catch::Contains("MERGED: yes indeed"));
  CHECK_THAT(guest.root("ros os version"), Catch::Contains(release()));

  const std::string services = guest.root("ros service ps");
  for (const auto& service : system_services()) CHECK_THAT(services, Catch::Contains(service));
  CHECK_THAT(guest.root("ros service list"), Catch::Contains("ntp"));
  guest.root("ros service logs syslog");
  const std::string before = guest.root("system-docker inspect -f '{{.State.StartedAt}}' ntp");
  guest.root("ros service restart ntp");
  CHECK(guest.root("system-docker inspect -f '{{.State.StartedAt}}' ntp") != before);

  // Nobody can log in with a password, and nobody is root without sudo.
  CHECK(guest.root("cut -d: -f2 /etc/shadow | grep -vc '^[*!]' || true") == "0");
}
