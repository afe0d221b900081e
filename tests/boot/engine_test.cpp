// The two Docker engines: pulling over the network, and surviving each other's end.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "runtime/base/text.h"
#include "tests/boot/scenario.h"
#include "tests/support/registry.h"

using namespace proof;

namespace {

Machine virtio_vmdk(std::string name, const fs::path& folder) {
  return {.name = std::move(name),
          .disks = {{.path = overlay(folder, artifact("vmware", "rancheros.vmdk"), "vmdk", "10G"),
                     .bus = Bus::virtio,
                     .format = "qcow2",
                     .boot = true}}};
}

}  // namespace

TEST_CASE("engine: an image is pulled from a registry over the guest's network", "[boot]") {
  ros::TempDir dir;
  Registry registry{dir.path(),
                    "tester:$2b$05$abcdefghijklmnopqrstuuQbLfdQZSxZ9gjhA5V9o8Tyc6aQRO0Qi\n"};

  // Without TLS, so the box has to be told that it may: through its cloud-config.
  const std::string address = registry.address();
  auto machine = virtio_vmdk("registry", dir.path());
  machine.user_data = fmt::format(
      "rancher:\n"
      "  docker: {{insecure_registry: ['{0}']}}\n"
      "  system_docker: {{insecure_registry: ['{0}']}}\n"
      "  registry_auths: {{'{0}': {{username: tester, password: opensesame}}}}\n",
      address);
  Guest guest{machine};
  guest.expect_ready();
  make_image(guest);
  guest.run(fmt::format("docker tag spot {0}/spot && docker push -q {0}/spot", address));
  guest.run("docker rmi -f $(docker images -q)");
  REQUIRE(guest.run("docker images -q").empty());

  guest.run(fmt::format("docker pull -q {}/spot", address));
  CHECK(guest.run(fmt::format("docker run --rm {}/spot /usr/bin/busybox echo pulled", address)) ==
        "pulled");
  guest.root(fmt::format("system-docker pull -q {}/spot", address));
  INFO(registry.server().output());
  CHECK(registry.server().running());

  // A network that somebody made, and what hangs on it, outlive the boot.
  guest.run("docker network create --subnet 172.30.0.0/24 mine");
  guest.run(
      fmt::format("docker run -d --name keeper --restart always --network mine"
                  " --ip 172.30.0.9 {}/spot /usr/bin/busybox sleep 1000000",
                  address));
  const std::string id = guest.run("docker network inspect -f '{{.Id}}' mine");
  guest.reboot();
  CHECK(guest.run("docker network inspect -f '{{.Id}}' mine") == id);
  CHECK(guest.run("docker inspect -f '{{.State.Running}}"
                  " {{.NetworkSettings.Networks.mine.IPAddress}}' keeper") == "true 172.30.0.9");
}

TEST_CASE("engine: a killed Docker comes back and user containers keep running", "[boot]") {
  ros::TempDir dir;
  Guest guest{virtio_vmdk("engine-killed", dir.path())};
  guest.expect_ready();
  make_image(guest);
  guest.run("docker run -d --name keeper spot /usr/bin/busybox sleep 1000000");
  const std::string started = guest.run("docker inspect -f '{{.State.StartedAt}}' keeper");
  const std::string pid = guest.run("docker inspect -f '{{.State.Pid}}' keeper");

  const auto check_kept = [&] {
    check_whole(guest);
    CHECK(guest.run("docker inspect -f '{{.State.StartedAt}}' keeper") == started);
    CHECK(guest.run("docker inspect -f '{{.State.Pid}}' keeper") == pid);
    guest.root("kill -0 " + pid);
  };

  const std::string old = guest.root("cat /run/system-docker.pid");
  guest.root("kill -9 " + old);
  // The socket is init's, so a client simply waits until the new one serves.
  guest.root("system-docker version");
  CHECK(guest.root("cat /run/system-docker.pid") != old);
  check_kept();

  // It comes back in a new container; nobody holds its socket meanwhile. A Docker that lost its
  // containerd answers before it can make containers again.
  const auto wait_for_docker = [&] {
    await(guest, "docker run --rm spot /usr/bin/busybox true >/dev/null 2>&1");
  };
  guest.root("kill -9 $(cat /run/docker.pid)");
  wait_for_docker();
  check_kept();

  guest.root("kill -9 $(pidof containerd)");
  wait_for_docker();
  check_kept();

  // User Docker's container has a shim of containerd, the other services share one. A start that
  // is held up for 100 ms makes another (docs/performance.md), so that half as many are allowed.
  INFO(guest.root("ps -o pid,args | grep '[c]ontainerd-shim'"));
  const auto shims =
      std::stoul(guest.root("ps -o args | grep -c '[c]ontainerd-shim.* -namespace system '"));
  CHECK(shims >= 2);
  CHECK(2 * shims <= system_services().size());

  // The box stays a box with a setting that user Docker cannot live with, and says so.
  guest.root("ros config set rancher.docker.storage_driver nonsense");
  guest.root("ros service restart docker");
  guest.expect("rancheros: error: service docker ended with status 1; see", seconds{180});
  CHECK_THAT(guest.root("ros service logs docker 2>&1"), Catch::Contains("nonsense"));
  guest.root("ros config set rancher.docker.storage_driver overlay2");
  wait_for_docker();
  check_kept();
}

TEST_CASE("engine: two hundred containers come and go, a shim is killed, and nothing stays behind",
          "[boot][matrix]") {
  ros::TempDir dir;
  Guest guest{virtio_vmdk("engine-cycles", dir.path())};
  guest.expect_ready();
  make_image(guest);
  const auto cycles = [&](int count) {
    guest.root(fmt::format("for i in $(seq {}); do docker run --rm spot /usr/bin/busybox true"
                           " || exit 1; done",
                           count),
               seconds{1800});
  };
  // Of what may be left of a container: processes, mounts, control groups, network devices, tasks.
  const auto left = [&] {
    return guest.root(
        "pidof containerd-shim-runc-v2 | wc -w; wc -l < /proc/mounts;"
        " find /sys/fs/cgroup -type d | wc -l; ls /sys/class/net | wc -l;"
        " find /run/containerd/state -mindepth 3 -maxdepth 3 | wc -l");
  };
  const auto init_kib = [&] {
    return std::stoi(guest.root("sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/1/status"));
  };
  cycles(3);
  const std::string before = left();
  CHECK_THAT(before, !Catch::EndsWith("\n0"));  // the services are tasks as well
  const int small = init_kib();
  cycles(200);
  CHECK(left() == before);
  CHECK(init_kib() - small < 64);
  CHECK(guest.root("ps -o stat | grep -c ^Z || true") == "0");

  // Without its shim a container is lost, which user Docker must learn.
  guest.run("docker run -d --name again --restart always spot /usr/bin/busybox sleep 1000000");
  const std::string pid = guest.run("docker inspect -f '{{.State.Pid}}' again");
  guest.root("kill -9 $(sed -n 's/^PPid:[^0-9]*//p' /proc/" + pid + "/status)");
  await(guest,
        "test $(docker inspect -f '{{.State.Running}} {{.State.Pid}}' again | grep -c 'true " +
            pid + "$') = 0 && docker exec again /usr/bin/busybox true");
  check_whole(guest);
  CHECK(guest.root("ps -o stat | grep -c ^Z || true") == "0");

  // Were PID 1 to end, the kernel would panic. A crash leads to the recovery console, and the next
  // start is one like any other.
  guest.try_run("sudo -n kill -SEGV 1", seconds{30});
  guest.disconnect();
  guest.expect("rancheros: error: init crashed \\(signal 11\\)", seconds{120});
  guest.expect("recovery: ssh rancher@10.0.2.15", seconds{180});
  CHECK(guest.run("findmnt -n -o TARGET /state") == "/state");
  CHECK(guest.root("pidof dockerd containerd || echo none") == "none");
  CHECK(guest.root("ps -o args | grep -c '[s]leep 1000000' || true") == "0");
  guest.try_run("sudo -n reboot", seconds{60});
  guest.disconnect();
  guest.expect_ready();
  await(guest, "docker exec again /usr/bin/busybox true");
}
