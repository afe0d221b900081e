// The end of a box's day.
#include <catch2/catch.hpp>

#include "tests/boot/scenario.h"
#include "tests/support/disk.h"

using namespace proof;

TEST_CASE("power: poweroff stops containers in time and leaves a clean state", "[boot]") {
  ros::TempDir dir;
  const fs::path disk = overlay(dir.path(), artifact("vmware", "rancheros.vmdk"), "vmdk", "10G");
  {
    Guest guest{{.name = "poweroff", .disks = {{.path = disk, .format = "qcow2", .boot = true}}}};
    guest.expect_ready();
    make_image(guest);
    // It writes its last words only when it is asked to end, and is given the time.
    guest.run(
        "mkdir /home/rancher/words && docker run -d --init -v /home/rancher/words:/words spot"
        " /usr/bin/busybox sh -c \"trap '/usr/bin/busybox echo goodbye > /words/last; exit'"
        " TERM; while :; do /usr/bin/busybox sleep 1; done\"");
    guest.root("shutdown -r +60");
    guest.expect("rancheros: reboot at ..:..", seconds{30});
    guest.root("shutdown -h +90");  // instead
    guest.root("shutdown -c");
    guest.expect("the shutdown is cancelled", seconds{30});
    CHECK_THAT(guest.try_run("sudo shutdown -c").output, Catch::Contains("no shutdown waits"));
    CHECK(guest.root("pidof shutdown || echo none") == "none");
    const auto taken = guest.power_off(seconds{120});
    CHECK(taken <= seconds{60});  // rancher.shutdown_timeout
  }

  const fs::path raw = raw_copy(disk, "qcow2", dir.path());
  const std::string filesystem = ext4_name(raw, partition(raw, "RANCHER_STATE"));
  // -n answers "no" to every question, and the exit status tells whether there was one.
  const std::string report = check_output({"e2fsck", "-fn", filesystem});
  CHECK_THAT(report, !Catch::Contains("recovering journal"));
  CHECK_THAT(check_output({"debugfs", "-R", "cat home/rancher/words/last", filesystem}),
             Catch::Contains("goodbye"));
}
