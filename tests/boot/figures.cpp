// Not a test: the boot figures for ci/bench, one "name value" a line on standard output.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/boot/scenario.h"

using namespace proof;

TEST_CASE("bench: kernel start to ready, and memory in use then", "[.][bench]") {
  // The same processors, memory and devices as the rival's machine in ci/bench.
  ros::TempDir dir;
  Guest guest{
      {.name = "bench",
       .processors = 2,
       .disks = {{.path = overlay(dir.path(), artifact("vmware", "rancheros.vmdk"), "vmdk", "10G"),
                  .bus = Bus::virtio,
                  .format = "qcow2",
                  .boot = true}}}};
  fmt::print("first_boot_s {:.2f}\n", guest.expect_ready());
  // What a box has for years: boots with its state made already.
  fmt::print("boot_s {:.2f}\n", guest.reboot());
  fmt::print(
      "memory_mb {}\n",
      guest.run("awk '/MemTotal/ {t = $2} /MemAvailable/ {a = $2} END {print int((t - a) / 1024)}'"
                " /proc/meminfo"));
}
