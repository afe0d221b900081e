// `ros os upgrade` on a disk: to the next version and back, and everything that may go wrong.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "builder/graph/cache.h"
#include "builder/os/process.h"
#include "runtime/base/digest.h"
#include "runtime/base/release.h"
#include "runtime/base/text.h"
#include "tests/boot/scenario.h"
#include "tests/support/http_server.h"
#include "tests/support/registry.h"

using namespace proof;
using Catch::Contains;

namespace {

// A release on a server of ours. `served` counts bytes of files.
class Releases {
 public:
  explicit Releases(const fs::path& folder) : folder_(folder) {
    next_ = ros::parse_releases(ros::read_file(folder / "index"), "index").back();
    publish(next_);
  }
  std::string place() const {
    return ros::replace_all(server_.url(), "127.0.0.1", "10.0.2.2") + "/r";
  }
  const ros::Release& next() const { return next_; }

  // The same files under another number.
  ros::Release renamed(const std::string& version) const {
    return ros::parse_releases(ros::replace_all(to_text(next_), next_.version, version), "index")
        .back();
  }
  void publish(const ros::Release& release) {
    index_ = to_text(release) + index_;  // the first one published is the newest
    server_.put("/r/index", index_);
    for (const auto& file : release.files) {
      const std::string path = ros::replace_all(file.path, release.version, next_.version);
      server_.put("/r/" + file.path, ros::read_file(folder_ / path));
    }
  }
  void sign(const fs::path& key) {
    const ros::TempDir dir;
    const std::string file = (dir.path() / "index").string();
    ros::write_file(file, index_);
    check_output(
        {"ssh-keygen", "-q", "-Y", "sign", "-f", key.string(), "-n", ros::kIndexNamespace, file});
    server_.put("/r/index.sig", ros::read_file(file + ".sig"));
  }
  void tamper(const std::string& path, const std::string& content) {
    server_.put("/r/" + path, content);
  }
  // Bytes of files that were asked for.
  std::uint64_t served(const ros::Release& release) const {
    std::uint64_t bytes = 0;
    for (const auto& request : server_.requests())
      for (const auto& file : release.files)
        if (request.starts_with("GET /r/" + file.path + " ")) bytes += file.size;
    return bytes;
  }

 private:
  fs::path folder_;
  ros::Release next_;
  std::string index_;
  ros::test::HttpServer server_;
};

std::uint64_t size_of(const ros::Release& release, const std::string& part) {
  for (const auto& file : release.files)
    if (file.path.find(part) != std::string::npos) return file.size;
  FAIL("no file of the release is called " << part);
  return 0;
}

std::string refused(Guest& guest, const std::string& command) {
  const Result result = guest.try_run("sudo -n " + command, seconds{300});
  INFO(command);
  CHECK(result.status != 0);
  return result.output;
}

// Somebody typed `ros os upgrade`, and the box reboots by itself.
void upgrade(Guest& guest, const std::string& arguments) {
  guest.try_run("sudo -n ros os upgrade -f " + arguments, seconds{600});
  guest.disconnect();
}

Machine disk_machine(std::string name, const fs::path& folder, Firmware firmware) {
  return {.name = std::move(name),
          .firmware = firmware,
          .disks = {{.path = overlay(folder, artifact("vmware", "rancheros.vmdk"), "vmdk", "8G"),
                     .bus = Bus::virtio,
                     .format = "qcow2",
                     .boot = true}}};
}

}  // namespace

TEST_CASE("upgrade: to the next version and back, containers and state stay", "[boot]") {
  ros::TempDir dir;
  Releases releases{build_next(dir.path(), "vmware")};
  const ros::Release& next = releases.next();
  Guest guest{disk_machine("upgrade", dir.path(), Firmware::bios)};
  guest.expect_ready();
  make_image(guest);
  guest.run("docker run -d --name keeper --restart always spot /usr/bin/busybox sleep 1000000");
  guest.run("echo kept > /home/rancher/note");
  guest.root("ros config set rancher.upgrade.url " + releases.place());

  // Once keys are named, nothing counts but what one of them has signed.
  const fs::path key = dir.path() / "release-key";
  make_key(key);
  guest.root("ros config set rancher.upgrade.keys '[" +
             std::string{ros::trim(ros::read_file(key.string() + ".pub"))} + "]'");
  CHECK_THAT(refused(guest, "ros os upgrade -f"), Contains("index.sig"));
  make_key(dir.path() / "stranger");
  releases.sign(dir.path() / "stranger");
  CHECK_THAT(refused(guest, "ros os upgrade -f"), Contains("the index is not signed by a key"));
  releases.sign(key);
  CHECK(guest.root("ros os list") ==
        std::string{kNext} + " available\n" + release() + " here, running");

  // Staged, it changes nothing of what boots.
  guest.root("ros os upgrade -f --stage", seconds{300});
  CHECK(releases.served(next) <= size_of(next, "runtime-") * 11 / 10 + size_of(next, "initrd"));
  CHECK_THAT(guest.run("ros os status"), !Contains(kNext));
  // Nor once it would be the next to start, and that is taken back.
  guest.root("ros os upgrade -f --no-reboot", seconds{300});
  CHECK_THAT(guest.run("ros os status"), Contains(std::string{"next     "} + kNext));
  CHECK_THAT(guest.try_run("sudo -n ros os rollback").output,
             Contains("the next start is of version " + release() + ", as before"));
  CHECK_THAT(guest.run("ros os status"), !Contains(kNext));

  upgrade(guest, "--append proof.append=1");
  guest.expect(std::string{"rancheros: version "} + kNext + " is ready and stays", seconds{420});
  CHECK(guest.run("ros os version") == kNext);
  CHECK_THAT(guest.run("cat /proc/cmdline"), Contains("proof.append=1"));
  CHECK_THAT(guest.run("ros os status"), Contains("previous " + release()));
  CHECK(guest.run("cat /home/rancher/note") == "kept");
  CHECK(guest.run("docker inspect -f '{{.State.Running}}' keeper") == "true");
  check_whole(guest);
  const Result newest = guest.try_run("sudo -n ros os upgrade");
  CHECK(newest.status == 0);
  CHECK_THAT(newest.output, Contains("has no newer one"));

  // Again, the trial over: the same version without a word from GRUB.
  CHECK(guest.root("ros os append") == "proof.append=1");
  guest.root("ros os append proof.append=2 proof.more");
  guest.reboot();
  CHECK(guest.run("ros os version") == kNext);
  CHECK_THAT(guest.run("cat /proc/cmdline"), !Contains("rancher.trial") &&
                                                 !Contains("proof.append=1") &&
                                                 Contains("proof.append=2 proof.more"));

  guest.try_run("sudo -n ros os rollback -f", seconds{120});
  guest.disconnect();
  guest.expect("rancheros: version " + release() + " is ready and stays", seconds{420});
  CHECK(guest.run("ros os version") == release());
  CHECK(guest.run("docker inspect -f '{{.State.Running}}' keeper") == "true");
  CHECK(guest.root("ros os gc").empty());  // the other one is the way back
}

TEST_CASE("upgrade: past the firmware, there and back, and out of a registry", "[boot][matrix]") {
  ros::TempDir dir;
  Releases releases{build_next(dir.path(), "vmware")};
  Registry registry{dir.path()};
  auto machine = disk_machine("upgrade-kexec", dir.path(), Firmware::secure_boot);
  machine.user_data = fmt::format(
      "rancher:\n  docker: {{insecure_registry: ['{0}']}}\n"
      "  system_docker: {{insecure_registry: ['{0}']}}\n",
      registry.address());
  Guest guest{machine};
  guest.expect_ready();
  guest.run("echo kept > /home/rancher/note");
  upgrade(guest, "--kexec --append proof.append=1 -i " + releases.place());
  guest.expect(std::string{"rancheros: version "} + kNext + " is ready and stays", seconds{420});
  CHECK(guest.run("ros os version") == kNext);
  CHECK_THAT(guest.run("cat /proc/cmdline"),
             Contains("rancher.trial") && Contains("proof.append=1"));
  CHECK(guest.run("cat /home/rancher/note") == "kept");

  const auto before = guest.console().size();
  guest.try_run("sudo -n ros os rollback -f --kexec", seconds{120});
  guest.disconnect();
  guest.expect("rancheros: version " + release() + " is ready and stays", seconds{420});
  CHECK(guest.run("ros os version") == release());
  // The firmware and GRUB would have spoken on the serial line.
  CHECK_THAT(guest.console().substr(before), !Contains("BdsDxe") && !Contains("GRUB"));

  // By GRUB as ever, and out of a registry.
  const std::string image = registry.address() + "/rancheros:" + kNext;
  std::string files = "index";
  for (const auto& file : releases.next().files) files += " " + file.path;
  guest.root("cd /var/lib && for f in " + files + "; do curl -sSf --create-dirs -o rel/$f " +
                 releases.place() + "/$f || exit; done && tar -C rel -c . | docker import - " +
                 image + " && docker push -q " + image + " && docker rmi " + image +
                 " && rm -r rel",
             seconds{900});
  guest.root("ros os gc");
  const std::string absent =
      refused(guest, "ros os upgrade -f -i " + registry.address() + "/nobody:1");
  CHECK_THAT(absent, Contains("/nobody:1 cannot be pulled"));

  // One that was killed while it asked leaves a container and an image, which are garbage. An index
  // is enough of an image for that.
  const std::string half = registry.address() + "/half:1";
  guest.root("mkdir /var/lib/half && cd /var/lib/half && curl -sSf -o index " + releases.place() +
             "/index && tar -c . | docker import - " + half + " && docker push -q " + half +
             " && docker rmi " + half);
  guest.root("sleep 300 </dev/null 2>/dev/null | ros os upgrade -i " + half +
             " >/run/asked 2>&1 & echo $! >/run/asker");
  guest.root(
      "for i in $(seq 90); do grep -q '^Upgrade from' /run/asked && break; sleep 1; done;"
      " kill -9 $(cat /run/asker)");
  const std::string garbage = guest.root("ros os gc");
  CHECK_THAT(garbage, Contains("removed container ") && Contains("removed image " + half));
  upgrade(guest, "-i " + image);
  guest.expect(std::string{"rancheros: version "} + kNext + " is ready and stays", seconds{600});
  CHECK(guest.run("ros os version") == kNext);
  CHECK_THAT(guest.console().substr(before), Contains("BdsDxe") || Contains("GRUB"));
  CHECK_THAT(guest.root("system-docker images"), !Contains("rancheros"));
}

TEST_CASE("upgrade: what fails is refused or left by itself, and the box says why",
          "[boot][matrix]") {
  ros::TempDir dir;
  Releases releases{build_next(dir.path(), "vmware")};
  Guest guest{disk_machine("upgrade-fails", dir.path(), Firmware::uefi)};
  guest.expect_ready();
  const std::string place = " -i " + releases.place();
  const std::string command = "ros os upgrade -f --no-reboot" + place;
  const auto still_whole = [&] {
    CHECK_THAT(guest.run("ros os status"), !Contains("next"));
    guest.root("cd /boot && sha256sum -c /tmp/sums >/dev/null");
  };
  guest.root("cd /boot && find " + release() +
             " layers grub -type f | xargs sha256sum > /tmp/sums");

  CHECK_THAT(refused(guest, "ros os upgrade -f -i http://10.0.2.2:1/none"),
             Contains("while reading the releases of"));
  CHECK_THAT(refused(guest, "ros os list -i http://10.0.2.2:1/none"),
             Contains(release() + " here, running") && Contains("while reading the releases of"));
  ros::Release foreign = releases.renamed("2.97.0");
  foreign.platform = "gce";
  releases.publish(foreign);
  CHECK_THAT(guest.root("ros os list" + place), Contains("2.97.0 available, of platform gce"));
  CHECK_THAT(refused(guest, "ros os upgrade 2.97.0 -f --no-reboot" + place),
             Contains("version 2.97.0 is of platform gce, and this box is vmware"));
  still_whole();
  const ros::Release& next = releases.next();
  for (const auto& file : next.files)
    if (file.path.find("runtime-") != std::string::npos)
      releases.tamper(file.path, std::string(file.size, 'x'));
  CHECK_THAT(refused(guest, command), Contains("the SHA-256 is wrong"));
  still_whole();
  releases.publish(releases.renamed("2.98.0"));

  guest.root(
      "mount -o remount,rw /boot && fallocate -l $(($(stat -f -c '%a*%S' /boot) - 3000000))"
      " /boot/full && sync && mount -o remount,ro /boot");
  CHECK_THAT(refused(guest, command), Contains("RANCHER_BOOT has"));
  still_whole();
  guest.root("mount -o remount,rw /boot && rm /boot/full && mount -o remount,ro /boot");

  // It boots, but the state that it must have is not there.
  upgrade(guest, "2.98.0 -a 'rancher.state.dev=LABEL=NOWHERE rancher.state.required'" + place);
  guest.expect("rancheros: this version is on trial: going back", seconds{420});
  guest.expect("rancheros: version 2.98.0 failed and this is " + release() +
                   " again: no state .LABEL=NOWHERE. was found",
               seconds{420});
  CHECK(guest.run("ros os version") == release());
  CHECK_THAT(guest.run("ros os status"), Contains("failed   2.98.0: no state"));

  // It boots, and is not ready in time. That a container has filled the state changes none of it:
  // Docker has the file system's reserve.
  make_image(guest);
  guest.run(
      "docker run --rm -v filled:/d spot /usr/bin/busybox dd if=/dev/zero of=/d/filled bs=64k"
      " 2>/dev/null || true",
      seconds{300});
  CHECK(guest.run("stat -fc %a /state") == "0");
  guest.root("sync");
  // A second from the start of `ros sysinit` on: system Docker alone takes longer.
  upgrade(guest, "2.98.0 -a rancher.ready_within=1" + place);
  guest.expect("rancheros: error: it was not ready after 1 s", seconds{420});
  guest.expect("rancheros: version 2.98.0 failed and this is " + release() +
                   " again: it was not ready after 1 s",
               seconds{420});
  guest.run("docker volume rm filled");
  guest.reboot();
  CHECK(guest.run("ros os version") == release());
  check_whole(guest);
}

// Of `make test-matrix`, since it takes twenty boots; alone: build/test_boot "[cuts]".
TEST_CASE("upgrade: killed at twenty points, the box boots one of the two, state intact",
          "[boot][matrix][cuts]") {
  ros::TempDir dir;
  Releases releases{build_next(dir.path(), "vmware")};
  const fs::path key = dir.path() / "key";
  make_key(key);
  Machine machine = disk_machine("upgrade-cuts", dir.path(), Firmware::bios);
  machine.user_data = "  - " + std::string{ros::trim(ros::read_file(key.string() + ".pub"))} + "\n";
  constexpr int kCuts = 20;
  std::map<std::string, int> seen;
  for (int cut = 0; cut <= kCuts; ++cut) {
    Guest guest{machine};
    machine.key = key;  // kept by the state since the first boot
    guest.expect_ready();
    const std::string version = guest.run("ros os version");
    ++seen[version];
    fmt::print(stderr, "after {} cuts: {}\n", cut, version);
    REQUIRE((version == release() || version == kNext));
    if (cut == 0) guest.run("echo kept > /home/rancher/note && sync");
    CHECK(guest.run("cat /home/rancher/note") == "kept");
    guest.run("docker info >/dev/null");
    if (cut == kCuts) break;
    // To the old one, as if there had never been another.
    if (version == kNext) {
      guest.try_run("sudo -n ros os rollback -f", seconds{120});
      guest.disconnect();
      guest.expect_ready();
    }
    guest.root(
        fmt::format("mount -o remount,rw /boot && rm -rf /boot/{0} && ros os gc"
                    " && mount -o remount,ro /boot",
                    kNext));
    guest.run("sudo -n sh -c 'ros os upgrade -f -i " + releases.place() +
              " >/dev/null 2>&1 &' </dev/null >/dev/null 2>&1");
    // The point in time is what is tested: from the first bytes to GRUB's next start.
    std::this_thread::sleep_for(std::chrono::milliseconds{300 + cut * 700});
  }
  for (const auto& [version, count] : seen) fmt::print("{} was started {} times\n", version, count);
}
