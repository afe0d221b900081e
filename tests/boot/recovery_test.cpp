// The recovery console, for somebody who is not there.
#include <catch2/catch.hpp>

#include "tests/boot/scenario.h"

using namespace proof;

namespace {

// A login shell, as an interactive login has it.
void check_remote(Guest& guest, const std::string& reason) {
  CHECK_THAT(guest.run("bash -lc true"), Catch::Contains("recovery console: " + reason));
  CHECK(guest.root("id -u") == "0");
  CHECK_THAT(guest.run("ip -o -4 addr show eth0"), Catch::Contains("10.0.2.15"));
  CHECK(guest.root("pidof dockerd || echo none") == "none");
}

}  // namespace

TEST_CASE("recovery: it says why, and ssh gets in with the configuration's keys", "[boot]") {
  ros::TempDir dir;
  Machine machine{.name = "recovery",
                  .arguments = {"-kernel", artifact("amd64", "vmlinuz").string(), "-initrd",
                                artifact("amd64", "initrd").string(), "-append",
                                "console=tty1 console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 "
                                "panic=10 rancher.state.dev=LABEL=RANCHER_STATE "}};
  SECTION("the state is required and is not there") {
    machine.arguments.back() += "rancher.state.required";
    Guest guest{machine};
    guest.expect("error: no state .*rancher.state.required forbids", seconds{300});
    guest.expect("recovery: ssh rancher@10.0.2.15", seconds{180});
    check_remote(guest, "no state");
    // `reboot` by ssh counts as at the console.
    guest.try_run("sudo -n reboot", seconds{60});
    guest.disconnect();
    guest.expect("rancheros: rebooting", seconds{60});
    guest.expect("error: no state .*rancher.state.required forbids", seconds{300});
  }
  SECTION("the boot menu asks for it: the state is mounted, and unmounted in the end") {
    machine.name = "recovery-menu";
    machine.disks = {{.path = state_disk(dir.path()), .bus = Bus::virtio}};
    machine.arguments.back() += "rancher.recovery=true";
    {
      Guest guest{machine};
      guest.expect("recovery: ssh rancher@10.0.2.15", seconds{300});
      check_remote(guest, "rancher.recovery asks for it");
      CHECK(guest.run("findmnt -n -o SOURCE /state") == "/dev/vda");
      guest.root("echo mended > /opt/mended");
      guest.power_off(seconds{120});
    }
    const std::string disk = machine.disks[0].path.string();
    CHECK_THAT(check_output({"e2fsck", "-fn", disk}), !Catch::Contains("recovering journal"));
    CHECK_THAT(check_output({"debugfs", "-R", "cat opt/mended", disk}), Catch::Contains("mended"));
  }
}
