// Bad input on the box: it says on the console what is wrong and gets as far as
// it safely can. Guest fails by itself on a kernel panic.
#include <fcntl.h>

#include <catch2/catch.hpp>

#include "runtime/base/fd.h"
#include "tests/boot/scenario.h"

using namespace proof;

namespace {

Machine netbooted(std::string name, const fs::path& initrd) {
  return {.name = std::move(name),
          .arguments = {"-kernel", artifact("amd64", "vmlinuz").string(), "-initrd",
                        initrd.string(), "-append",
                        "console=tty1 console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 panic=10 "
                        "rancher.state.dev=LABEL=RANCHER_STATE"}};
}

void overwrite(const fs::path& path, std::uintmax_t offset, std::string_view bytes) {
  const auto fd = ros::open_file(path.string(), O_WRONLY);
  REQUIRE(::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
          static_cast<ssize_t>(bytes.size()));
}

// The recovery console is a root shell where the box's owner can look around.
void check_recovery_console(Guest& guest) {
  guest.type("\necho recovery-$((6 * 7))\n");
  guest.expect("recovery-42", seconds{60});
}

}  // namespace

TEST_CASE("failure: no layer is found", "[boot]") {
  ros::TempDir dir;
  // A disk boots this early initrd; here it finds no medium with the layers.
  const fs::path initrd = dir.path() / "initrd";
  check_output({"xorriso", "-osirrox", "on", "-indev", artifact("amd64", "rancheros.iso").string(),
                "-extract", "/" + release() + "/initrd", initrd.string()});
  Guest guest{netbooted("no-layers", initrd)};
  guest.expect("rancheros: error: .*layer", seconds{300});
  check_recovery_console(guest);
}

TEST_CASE("failure: a layer's digest is wrong", "[boot]") {
  ros::TempDir dir;
  const fs::path initrd = dir.path() / "initrd";
  fs::copy_file(artifact("amd64", "initrd"), initrd);
  // Layers fill nearly all of it, so its middle is inside one.
  const auto middle = fs::file_size(initrd) / 2;
  const auto fd = ros::open_file(initrd.string(), O_RDONLY);
  std::string byte = ros::read_at(fd.get(), middle, 1);
  byte[0] = static_cast<char>(byte[0] ^ 1);
  overwrite(initrd, middle, byte);
  Guest guest{netbooted("wrong-digest", initrd)};
  guest.expect("rancheros: error: .*(digest|SHA-256|damaged)", seconds{300});
  check_recovery_console(guest);
  // They were started beside the check.
  guest.type("pidof containerd dockerd || echo no-engines-$((6 * 7))\n");
  guest.expect("no-engines-42", seconds{60});
}

TEST_CASE("failure: the state partition is corrupt", "[boot]") {
  ros::TempDir dir;
  const fs::path disk = state_disk(dir.path());
  SECTION("repairable: garbage in the inode tables") {
    overwrite(disk, 64 * 4096, std::string(256 * 4096, '\x5a'));
  }
  SECTION("beyond repair: only the superblock is left") {
    const std::string garbage(64 << 20, '\x5a');
    for (std::uintmax_t offset = 4096; offset + garbage.size() <= fs::file_size(disk);
         offset += garbage.size())
      overwrite(disk, offset, garbage);
  }
  auto machine = netbooted("corrupt-state", artifact("amd64", "initrd"));
  machine.disks = {{.path = disk, .bus = Bus::virtio}};
  Guest guest{machine};
  guest.expect("rancheros: .*(state|RANCHER_STATE|/dev/vda)", seconds{300});
  guest.expect_ready();
  make_image(guest);
  check_whole(guest);
}

TEST_CASE("failure: the cloud-config is bad", "[boot]") {
  auto machine = netbooted("bad-cloud-config", artifact("amd64", "initrd"));
  SECTION("a wrong type and an unknown key") {
    machine.user_data =
        "hostname: [a, list]\nhostnmae: typo\n"
        "rancher: {system_docker: {extra_args: [--nonsense]}}\n";
    Guest guest{machine};
    guest.expect("rancheros: .*hostname", seconds{420});
    guest.expect_ready();
    make_image(guest);  // the key of the same file lets us in
    check_whole(guest);
    CHECK_THAT(guest.console(), Catch::Contains("system Docker did not start with"));
  }
  SECTION("not YAML") {
    machine.user_data = "write_files: [}\n  - : ::\n";
    Guest guest{machine};
    guest.expect("rancheros: .*(user-data|cloud-config)", seconds{420});
    guest.expect_ready();
  }
}

TEST_CASE("failure: there is no network, and no state in spite of waiting", "[boot]") {
  auto machine = netbooted("no-network", artifact("amd64", "initrd"));
  machine.nic = "none";
  machine.arguments.back() += " rancher.autologin=ttyS0 rancher.state.wait";
  machine.user_data = "rancher: {services_include: {unknown: true}}\n";  // waits for the network
  Guest guest{machine};
  guest.expect("waiting for the state .LABEL=RANCHER_STATE.", seconds{300});
  guest.expect("no state .LABEL=RANCHER_STATE. was found: running from memory", seconds{300});
  guest.expect_ready();
  guest.expect("(no|without).*(network|address)", seconds{60});
  guest.type("\n");
  guest.expect("rancher@", seconds{120});
  guest.type("docker info >/dev/null && echo docker-$((6 * 7))\n");
  guest.expect("docker-42", seconds{60});
  // The supervisor hears of a new service all the same, and starts it again when it is killed.
  guest.type(
      "pid() { sudo system-docker inspect -f '{{.State.Pid}}' late; }; sudo ros config set"
      " rancher.services '{late: {command: sleep 1000000, restart: always, labels:"
      " {io.rancher.os.scope: system}}}' && sudo ros service up late && p=$(pid) && sudo ros "
      "service"
      " kill late && until q=$(pid) && [ $q != 0 ] && [ $q != $p ]; do sleep 1; done;"
      " echo late-$((6 * 7))\n");
  guest.expect("late-42", seconds{120});
}
