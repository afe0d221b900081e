// Not a test: the boot figures for ci/bench, one "name value" a line on standard output.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>

#include "runtime/base/release.h"
#include "runtime/base/text.h"
#include "tests/boot/scenario.h"
#include "tests/support/http_server.h"

using namespace proof;

namespace {

// The same processors, memory and devices as the rival's machine in ci/bench.
Machine bench_machine(const fs::path& folder) {
  return {.name = "bench",
          .processors = 2,
          .disks = {{.path = overlay(folder, artifact("vmware", "rancheros.vmdk"), "vmdk", "10G"),
                     .bus = Bus::virtio,
                     .format = "qcow2",
                     .boot = true}},
          .same_addresses = false};
}

void print_memory(Guest& guest, const char* name) {
  fmt::print("{} {}\n", name,
             guest.run("awk '/MemTotal/ {t = $2} /MemAvailable/ {a = $2}"
                       " END {print int((t - a) / 1024)}' /proc/meminfo"));
}

// Seconds from the kernel's start to the kernel message that ends so.
double said_at(Guest& guest, const std::string& end) {
  return std::stod(guest.root("dmesg | sed -n 's/^\\[ *\\([0-9.]*\\)\\].*" + end + "$/\\1/p'"));
}

// Processor time of one run, the mean of ten.
double processor_ms(Guest& guest, const std::string& command) {
  const auto seconds = guest.run("sudo bash -c 'TIMEFORMAT=\"%U %S\"; time for i in {1..10}; do " +
                                 command + " >/dev/null; done' 2>&1");
  const auto fields = ros::words(seconds);
  return fields.size() == 2 ? (std::stod(fields[0]) + std::stod(fields[1])) * 100 : -1;
}

// What comes over the wire with a version of which a small layer and the initrd are new.
void print_upgrade(Guest& guest, const fs::path& folder) {
  const fs::path next = build_next(folder, "vmware", "release");
  const auto files_of = [](const fs::path& release) {
    const fs::path index = release / "index";
    return ros::parse_releases(ros::read_file(index), index.string()).back().files;
  };
  std::set<std::string> here;
  for (const auto& file : files_of(artifact("vmware", "release"))) here.insert(file.sha256);
  ros::test::HttpServer server;
  server.put("/r/index", ros::read_file(next / "index"));
  std::uint64_t changed = 0;
  for (const auto& file : files_of(next)) {
    if (!here.contains(file.sha256)) changed += file.size;
    server.put("/r/" + file.path, ros::read_file(next / file.path));
  }
  const auto received = [&] {
    return std::stoull(guest.run("cat /sys/class/net/eth0/statistics/rx_bytes"));
  };
  const auto before = received();
  guest.root("ros os upgrade -f --stage -i " +
                 ros::replace_all(server.url(), "127.0.0.1", "10.0.2.2") + "/r",
             std::chrono::seconds{300});
  fmt::print("upgrade_mb {:.2f}\nchanged_mb {:.2f}\n",
             static_cast<double>(received() - before) / 1e6, static_cast<double>(changed) / 1e6);
}

}  // namespace

TEST_CASE("bench: kernel start to ready, and memory in use then", "[.][bench]") {
  ros::TempDir dir;
  const Machine machine = bench_machine(dir.path());
  {
    Guest guest{machine};
    fmt::print("first_boot_s {:.2f}\n", guest.expect_ready());
    guest.power_off(std::chrono::seconds{120});
  }
  // What a box has for years: boots with its state made already. Like the rival's, from power on.
  Guest guest{machine};
  const double ready = guest.expect_ready();
  fmt::print("boot_s {:.2f}\n", ready);
  print_memory(guest, "memory_mb");
  const double engines =
      said_at(guest, "system Docker started") - said_at(guest, "Run .init as init process");
  fmt::print("init_share {:.1f}\n", engines / ready * 100);
  fmt::print("service_list_ms {:.1f}\n", processor_ms(guest, "ros service list"));
  fmt::print("true_ms {:.1f}\n", processor_ms(guest, "/usr/bin/busybox true"));
  fmt::print("config_get_ms {:.1f}\n", processor_ms(guest, "ros config get hostname"));
}

TEST_CASE("bench: memory of a box with nothing to do", "[.][bench-idle]") {
  ros::TempDir dir;
  Guest guest{bench_machine(dir.path())};
  guest.expect_ready();
  // Go gives back what starting took when its collector runs, every two minutes at the latest.
  guest.run("sleep 300", std::chrono::seconds{400});
  print_memory(guest, "idle_mb");
  fmt::print("init_mb {}\n", guest.run("awk '/VmRSS/ {print $2 / 1024}' /proc/1/status"));
  print_upgrade(guest, dir.path());
}
