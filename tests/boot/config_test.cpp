// cloud-config from a NoCloud disk and from the kernel command line, and `ros` on the box.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "runtime/base/text.h"
#include "tests/boot/scenario.h"
#include "tests/support/nfs_server.h"

using namespace proof;

namespace {

fs::path disk(const fs::path& folder, std::uintmax_t size, const std::vector<std::string>& make) {
  const fs::path path = empty_disk(folder, size);
  auto argv = make;
  argv.push_back(path.string());
  check_output(argv);
  return path;
}

Disk virtio(const fs::path& path) { return {.path = path, .bus = Bus::virtio}; }

constexpr const char* kUserData =
    "hostname: tested\n"
    "mounts:\n"
    "  - [LABEL=data, /data, auto, noatime]\n"
    "  - [vdc, none, swap, sw, 0, 0]\n"
    "  - [/dev/vdd1, /mnt/grown, ext4]\n"
    "  - [/etc/shells, /opt/a-file, none, bind]\n"
    "  - [/dev/vdz, /mnt/absent, ext4, nofail]\n"
    "  - [/dev/vdb, /mnt/wrong, xfs]\n"
    "  - ['10.0.2.2:/share', /mnt/share, nfs4, port=PORT]\n"
    "swap: {size: 32M}\n"
    "rancher:\n"
    "  resize_device: /dev/vdd\n"
    "  sysctl: {net.ipv4.ip_default_ttl: 77, kernel.domainname: here, kernel.nonsense: 1}\n"
    "  modules: [dummy numdummies=3, no_such_module]\n"
    "  environment: {A: one, B1: two, B2: three, C: four}\n"
    "  docker: {restart: true}\n"
    "  services:\n"
    "    extra:\n"
    "      command: sleep 1000000\n"
    "      environment: [A, 'B*', UNSET]\n"
    "      labels: {io.rancher.os.scope: system}\n"
    // What a late start of system Docker does. The boot waits for ntp, and so for this.
    "    breaker:\n"
    "      command: sh -c 'ros wait-for-docker && ip link delete docker0'\n"
    "      privileged: true\n"
    "      net: host\n"
    "      volumes: ['/run:/run']\n"
    "      labels: {io.rancher.os.scope: system, io.rancher.os.detach: 'false',\n"
    "               io.rancher.os.before: ntp}\n"
    "write_files:\n"
    "  - path: /etc/written\n"
    "    permissions: '0640'\n"
    "    owner: rancher\n"
    "    content: |\n"
    "      some text\n"
    "  - path: /etc/encoded\n"
    "    encoding: b64\n"
    "    content: ZW5jb2RlZA==\n"
    "  - path: /srv/inside\n"
    "    container: ntp\n"
    "    permissions: '0600'\n"
    "    owner: rancher\n"
    "    content: only in ntp\n"
    "runcmd:\n"
    "  - echo text > /etc/ran\n"
    "  - [touch, '/etc/ran a list']\n";

void check_storage(Guest& guest) {
  // This shell is in the console, Docker takes its paths on the host.
  guest.root("echo kept > /data/file");
  make_image(guest);
  CHECK(guest.run("docker run --rm -v /data:/d spot /usr/bin/busybox cat /d/file") == "kept");
  CHECK(guest.run("cmp /opt/a-file /etc/shells && echo same") == "same");
  CHECK_THAT(guest.root("nsenter -t 1 -m findmnt -n -o SOURCE,OPTIONS /data"),
             Catch::StartsWith("/dev/vdb") && Catch::Contains("noatime"));
  guest.root("[ ! -e /mnt/absent ] || [ -z \"$(ls /mnt/absent)\" ]");
  // Nobody waits for these.
  await(guest, "test $(wc -l < /proc/swaps) = 3");
  CHECK(guest.run("awk 'NR > 1 {print $1, $3}' /proc/swaps") ==
        "/dev/vdc 65532\n/var/lib/rancher/swap 32764");
  await(guest, "test $(cat /sys/block/vdd/vdd1/size) = 1112064");  // up to the end of 544 MiB
  await(guest, "test $(df -m /mnt/grown | awk 'END {print $2}') -gt 450");
}

void check_nfs(Guest& guest, const NfsServer& server) {
  await(guest, "findmnt /mnt/share >/dev/null");
  CHECK(guest.run("findmnt -n -o FSTYPE,SOURCE /mnt/share") == "nfs4 10.0.2.2:/share");
  CHECK(guest.run("cat /mnt/share/given") == "by the server");
  guest.root(
      "docker run --rm -v /mnt/share:/s spot /usr/bin/busybox sh -c"
      " 'echo from a container > /s/taken'");
  CHECK(ros::read_file(server.folder() / "taken") == "from a container\n");
}

void check_kernel_and_services(Guest& guest) {
  CHECK(guest.run("sysctl -n net.ipv4.ip_default_ttl kernel.domainname") == "77\nhere");
  CHECK(guest.run("cd /sys/class/net && echo dummy*") == "dummy0 dummy1 dummy2");
  CHECK(guest.root("system-docker exec ntp cat /srv/inside") == "only in ntp");
  CHECK(guest.root("system-docker exec ntp stat -c '%a %u' /srv/inside") == "600 1100");
  CHECK(guest.run("[ -e /srv/inside ] || echo not here") == "not here");
  CHECK(guest.root("system-docker inspect -f '{{range .Config.Env}}{{.}} {{end}}' extra") ==
        "A=one B1=two B2=three PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

// Each with its place; the rest of the file counts all the same.
void check_mistakes(const std::string& console) {
  const auto said = [&](const std::string& what) {
    return Catch::Matchers::Matches("[^]*boot\\.yml:[0-9]+:[0-9]+: " + what + "[^]*");
  };
  CHECK_THAT(console, said("mounts: [^\n]*/mnt/wrong"));
  CHECK_THAT(console, said("rancher\\.sysctl: kernel\\.nonsense=1: there is no such parameter"));
  CHECK_THAT(console, said("rancher\\.modules: [^\n]*no_such_module"));
  CHECK_THAT(console, said("rancher\\.docker\\.restart has no effect"));
  CHECK_THAT(console, !Catch::Contains("/mnt/absent"));
}

}  // namespace

TEST_CASE("config: cloud-config takes effect and ros answers", "[boot]") {
  if (::geteuid() != 0) {
    fmt::print("SKIPPED: nfs-ganesha opens files by their handles, which needs root\n");
    return;
  }
  ros::TempDir dir;
  NfsServer server{dir.path()};
  ros::write_file(server.folder() / "given", "by the server");
  const fs::path state = state_disk(dir.path());
  Guest guest{
      {.name = "config",
       .disks = {virtio(state), virtio(disk(dir.path(), 64 << 20, {"mke2fs", "-q", "-L", "data"})),
                 virtio(disk(dir.path(), 64 << 20, {"mkswap", "-q"})),
                 virtio(outgrown_disk(dir.path(), "dos", {"mke2fs", "-q", "-t", "ext4"}, 30))},
       .user_data = ros::replace_all(kUserData, "PORT", std::to_string(server.port())),
       .arguments = {"-kernel", artifact("amd64", "vmlinuz").string(), "-initrd",
                     artifact("amd64", "initrd").string(), "-append",
                     "console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 panic=10 "
                     "rancher.state.dev=LABEL=RANCHER_STATE "
                     "rancher.environment.FROM=cmdline cc.hostname=stronger"}}};
  guest.expect("rancheros: user Docker's docker0 was deleted: it starts again", seconds{420});
  guest.expect_ready();
  guest.run("ip link show docker0");

  CHECK(guest.run("hostname") == "stronger");  // the kernel command line beats user-data
  CHECK(guest.run("cat /etc/ran; ls '/etc/ran a list'") == "text\n/etc/ran a list");
  CHECK(guest.run("stat -c '%a %U' /etc/written; cat /etc/written") == "640 rancher\nsome text");
  CHECK(guest.run("cat /etc/encoded") == "encoded");

  check_mistakes(guest.console());
  check_storage(guest);
  check_nfs(guest, server);
  check_kernel_and_services(guest);

  CHECK(guest.root("ros config get hostname") == "stronger");
  CHECK(guest.root("ros config get rancher.environment.FROM") == "cmdline");
  guest.root("printf 'rancher:\\n  environment:\\n    MERGED: yes indeed\\n' | ros config merge");
  CHECK(guest.root("ros config get rancher.environment.MERGED") == "yes indeed");
  CHECK_THAT(guest.root("ros config export"), Catch::Contains("MERGED: yes indeed"));
  guest.root("ros config set rancher.registry_auths \"{r: {auth: YTpi}}\"");
  CHECK_THAT(guest.root("ros config export"), !Catch::Contains("YTpi"));
  CHECK_THAT(guest.root("ros config export -p"), Catch::Contains("YTpi"));
  CHECK_THAT(guest.root("ros config export -f"), Catch::Contains("shutdown_timeout"));
  CHECK(guest.root("ros config get rancher.recovery; ros config get rancher.ntp.servers") ==
        "false\n[]");
  CHECK(guest.root("ros config images") == "rancher/os:latest");
  CHECK(guest.run("echo 'v{{ .V }}' | V=1 ros config generate") == "v1");
  CHECK(guest.run("ros config schema | head -n 1") == "{");
  CHECK(guest.try_run("echo 'runmcd: []' | ros config validate").status == 1);
  CHECK(guest.run("echo 'runcmd: []' | ros config validate").empty());
  CHECK_THAT(guest.root("ros os version"), Catch::Contains(release()));

  const std::string services = guest.root("ros service ps");
  for (const auto& service : system_services()) CHECK_THAT(services, Catch::Contains(service));
  CHECK_THAT(guest.root("ros service list -a"), Catch::Contains("ntp"));
  guest.root("ros service logs syslog");
  const std::string before = guest.root("system-docker inspect -f '{{.State.StartedAt}}' ntp");
  guest.root("ros service restart ntp");
  CHECK(guest.root("system-docker inspect -f '{{.State.StartedAt}}' ntp") != before);

  // Nobody can log in with a password, and nobody is root without sudo.
  CHECK(guest.root("cut -d: -f2 /etc/shadow | grep -vc '^[*!]' || true") == "0");

  // In spite of a swap file on the state, and of data that a server, which is gone, has not got:
  // more than a pipe holds, so dd has written some of it.
  guest.root(
      "sh -c '{ until [ -e /run/gone ]; do sleep 0.1; done; head -c 100000 /dev/zero;"
      " touch /run/written; exec sleep 1000000; } | dd of=/mnt/share/late bs=1000' >/dev/null 2>&1 "
      "&");
  await(guest, "test -e /mnt/share/late");
  server.hang();
  guest.root("touch /run/gone");
  await(guest, "test -e /run/written");
  CHECK(guest.power_off(seconds{120}) < seconds{60});  // rancher.shutdown_timeout
  CHECK_THAT(guest.console(), Catch::Contains("/mnt/share"));
  CHECK_THAT(check_output({"e2fsck", "-fn", state.string()}),
             !Catch::Contains("recovering journal"));
}
