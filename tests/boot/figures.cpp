// Not a test: the boot figures for ci/bench, one "name value" a line on standard output.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "runtime/base/text.h"
#include "tests/boot/scenario.h"

using namespace proof;

namespace {

// Processor time of one run, the mean of ten.
double processor_ms(Guest& guest, const std::string& command) {
  const auto seconds = guest.run("sudo bash -c 'TIMEFORMAT=\"%U %S\"; time for i in {1..10}; do " +
                                 command + " >/dev/null; done' 2>&1");
  const auto fields = ros::words(seconds);
  return fields.size() == 2 ? (std::stod(fields[0]) + std::stod(fields[1])) * 100 : -1;
}

}  // namespace

TEST_CASE("bench: kernel start to ready, and memory in use then", "[.][bench]") {
  // The same processors, memory and devices as the rival's machine in ci/bench.
  ros::TempDir dir;
  const Machine machine{
      .name = "bench",
      .processors = 2,
      .disks = {{.path = overlay(dir.path(), artifact("vmware", "rancheros.vmdk"), "vmdk", "10G"),
                 .bus = Bus::virtio,
                 .format = "qcow2",
                 .boot = true}}};
  {
    Guest guest{machine};
    fmt::print("first_boot_s {:.2f}\n", guest.expect_ready());
    guest.power_off(std::chrono::seconds{120});
  }
  // What a box has for years: boots with its state made already. Like the rival's, from power on.
  Guest guest{machine};
  fmt::print("boot_s {:.2f}\n", guest.expect_ready());
  fmt::print(
      "memory_mb {}\n",
      guest.run("awk '/MemTotal/ {t = $2} /MemAvailable/ {a = $2} END {print int((t - a) / 1024)}'"
                " /proc/meminfo"));
  fmt::print("service_list_ms {:.1f}\n", processor_ms(guest, "ros service list"));
  fmt::print("config_get_ms {:.1f}\n", processor_ms(guest, "ros config get hostname"));
}
