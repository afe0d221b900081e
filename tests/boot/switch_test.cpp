// Consoles and engines out of a registry, TLS from outside, images laid ready, and what `ros`
// tells.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/text.h"
#include "tests/boot/scenario.h"
#include "tests/support/registry.h"

using namespace proof;
using Catch::Contains;

namespace {

// A folder of busybox and what it is linked with, as an image of the registry.
void push_image(Guest& guest, const std::string& name, const std::string& more) {
  guest.root(fmt::format(
      "set -e; d=$(mktemp -d); cd $d; chmod 755 .; mkdir -p bin opt etc lib64 "
      "usr/lib/x86_64-linux-gnu"
      " usr/local/bin; cp /usr/bin/busybox bin/; cp /lib64/ld-linux-x86-64.so.2 lib64/;"
      " cp /usr/lib/x86_64-linux-gnu/libc.so.6 /usr/lib/x86_64-linux-gnu/libresolv.so.2"
      " usr/lib/x86_64-linux-gnu/; {1}; tar -c . | docker import - {0}; docker push -q {0};"
      " rm -r $d",
      name, more));
}

// What ends the login: the answer may not come back.
void switch_console(Guest& guest, const std::string& name, const std::string& then) {
  guest.try_run("sudo -n ros console switch -f " + name, seconds{300});
  guest.expect(then, seconds{240});
  guest.disconnect();
}

constexpr const char* kApplets =
    "for a in $(bin/busybox --list); do [ -e bin/$a ] || ln -s busybox bin/$a; done";

std::string engine_script(const std::string& label) {
  return "printf '#!/bin/sh\\nexec /usr/sbin/dockerd --label engine=" + label +
         " \"$@\"\\n' > usr/local/bin/dockerd; chmod +x usr/local/bin/dockerd";
}

std::string labels(Guest& guest) { return guest.run("docker info -f '{{.Labels}}'"); }

void check_console(Guest& guest, const std::string& name) {
  CHECK(guest.run("cat /etc/os-release") == "ID=mine");
  CHECK(guest.run("pwd; id -un") == "/home/rancher\nrancher");
  CHECK(guest.root("id -u; hostname") == "0\ntested");
  CHECK(guest.run("docker inspect -f '{{.State.Running}}' keeper") == "true");
  CHECK_THAT(guest.root("system-docker ps --format '{{.Names}}'"), Contains("console-"));
  CHECK_THAT(guest.root("ros console list"),
             Contains("current  " + name) && Contains("disabled default"));
  // What a person mounts is mounted for Docker as well.
  CHECK(guest.root("mkdir -p /mnt/here && mount -t tmpfs none /mnt/here && echo x > /mnt/here/x &&"
                   " docker run --rm -v /mnt/here:/h spot /usr/bin/busybox cat /h/x;"
                   " umount /mnt/here") == "x");
  // Root is for members of docker.
  const auto refused = guest.try_run("sudo -n su -s /bin/sh plain -c 'sudo id -u'");
  CHECK(refused.status != 0);
  CHECK_THAT(refused.output, Contains("only members of the group docker"));
}

// At the machine itself: the system's accounts, the image's shell.
void check_login(Guest& guest) {
  const seconds limit{60};
  guest.type("rancher\n");
  guest.expect("Password: ", limit);
  guest.type("wrong\n");
  guest.expect("Login incorrect", limit);
  guest.expect("login: ", limit);
  guest.type("rancher\n");
  guest.expect("Password: ", limit);
  guest.type("opensesame\n");
  guest.type("cat /etc/os-release; echo I am $(id -un) in $(pwd)\n");
  guest.expect("^ID=mine", limit);
  guest.expect("I am rancher in /home/rancher", limit);
  guest.type("exit\n");
}

// As another machine does it, which has the client's folder.
void check_tls(Guest& guest, const fs::path& folder) {
  const int port = free_port();
  guest.monitor(fmt::format("hostfwd_add tcp:127.0.0.1:{}-:2376", port));
  for (const char* name : {"ca.pem", "cert.pem", "key.pem"})
    ros::write_file(folder / name, guest.root(fmt::format("cat /home/rancher/.docker/{}", name)));
  const std::string url = fmt::format("https://localhost:{}/version", port);
  const std::string ca = (folder / "ca.pem").string();
  CHECK_THAT(check_output({"curl", "-sS", "--cacert", ca, "--cert", (folder / "cert.pem").string(),
                           "--key", (folder / "key.pem").string(), url}),
             Contains("ApiVersion"));
  Child stranger{{"curl", "-sS", "--cacert", ca, url}};  // without a certificate
  CHECK(stranger.wait(seconds{60}).value_or(0) != 0);
}

void check_small_verbs(Guest& guest) {
  CHECK(guest.root("ros dev LABEL=RANCHER_STATE") == "/dev/vda");
  const auto absent = guest.try_run("sudo -n ros dev LABEL=NOBODY");
  CHECK(absent.status == 1);
  CHECK_THAT(absent.output, Contains("no device has LABEL=NOBODY"));
  CHECK(guest.root("ros env sh -c 'echo $GIVEN'") == "one");
  CHECK(guest.run("COMP_LINE='ros eng' COMP_POINT=7 ros --complete") == "engine");
  for (const char* verb : {"console", "engine", "tls", "os", "config", "service", "install"})
    CHECK_THAT(guest.run(fmt::format("ros {} --help", verb)), Contains("usage: ros"));
  const auto wrong = guest.try_run("ros enginee");
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.output, Contains("did you mean engine?"));
  CHECK_THAT(guest.try_run("ros console list").output, Contains("sudo ros"));
}

void check_watching(Guest& guest) {
  CHECK_THAT(guest.root("ros os status"),
             Contains("memory ") && Contains("services 6 run: ") && Contains("boot     kernel "));
  const auto stages = nlohmann::json::parse(guest.run("ros os timeline --json"));
  std::vector<std::string> names;
  for (const auto& stage : stages) names.push_back(stage["name"]);
  for (const char* name : {"kernel", "configuration", "service network", "user Docker"}) {
    CAPTURE(name, names);
    CHECK(std::count(names.begin(), names.end(), name) == 1);
  }
  CHECK_THAT(guest.run("ros os timeline --svg"), Catch::StartsWith("<svg"));
  CHECK_THAT(guest.run("ros os timeline"), Contains("user Docker"));
}

// Docker in an image: the box's own, with what it is linked with. As in every image of that kind
// the entry makes room in the cgroup, whose controllers a group without processes alone can give
// on.
void make_inner_image(Guest& guest) {
  guest.root(
      "set -e; cd /; mkdir -p opt; printf '#!/bin/sh\n"
      "cd /sys/fs/cgroup && mkdir -p init && for p in $(cat cgroup.procs); do echo $p > "
      "init/cgroup.procs; done\n"
      "for c in $(cat cgroup.controllers); do echo +$c > cgroup.subtree_control; done\n"
      "mkdir -p /etc/ssh /run/sshd; ssh-keygen -qA; /usr/sbin/sshd -f /dev/null\n"
      "exec \"$@\"\n' > opt/entry; chmod +x opt/entry;"
      " tar -c opt/entry bin sbin lib lib64 usr/bin usr/sbin usr/lib64 usr/lib/openssh "
      "usr/lib/x86_64-linux-gnu"
      " etc/alternatives etc/passwd etc/group etc/ld.so.cache | docker import -c 'ENTRYPOINT "
      "[\"/opt/entry\"]' - inner",
      seconds{600});
}

void check_inner_engine(Guest& guest) {
  guest.run("docker network create --subnet 172.31.0.0/24 inner");
  // The console that runs by now has no ssh; the image has.
  const std::string client = "docker run --rm --network host -v /home/rancher:/keys --entrypoint ";
  guest.run(client + "/usr/bin/ssh-keygen inner -q -t ed25519 -N '' -f /keys/key");
  CHECK(guest.try_run("sudo -n ros engine create --ssh-port 65536 second").status == 2);
  CHECK(guest.try_run("sudo -n ros engine create --authorized-keys absent second").status == 1);
  guest.root(
      "ros engine create -v inner --network inner --fixed-ip 172.31.0.7 --ssh-port 2222"
      " --authorized-keys /home/rancher/key.pub second");
  CHECK(guest.run("docker inspect -f '{{.HostConfig.Privileged}}"
                  " {{.NetworkSettings.Networks.inner.IPAddress}}' second") == "true 172.31.0.7");
  const std::string second = "sudo /opt/bin/docker-second ";
  await(guest, second + "version");
  CHECK(guest.run("docker save spot | " + second + "load && " + second +
                      "run --rm --name inside spot /usr/bin/busybox echo from inside",
                  seconds{300}) == "Loaded image: spot:latest\nfrom inside");
  CHECK(guest.run(second + "images -q | wc -l; docker ps -a -f name=inside -q") == "1");
  CHECK(guest.run(client + "/usr/bin/ssh inner -p 2222 -i /keys/key -o StrictHostKeyChecking=no"
                           " -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes"
                           " root@127.0.0.1 hostname") == "second");
  CHECK(guest.try_run("sudo -n ros engine create second").status != 0);
  guest.root("ros engine rm -f second");
  CHECK(guest.run("docker ps -qa -f name=second; ls /opt/bin").empty());
  CHECK(guest.try_run("sudo -n ros engine rm -f keeper").status != 0);
}

}  // namespace

TEST_CASE("switch: consoles and engines, TLS, preloaded images, over a reboot", "[boot][matrix]") {
  ros::TempDir dir;
  Registry registry{dir.path()};
  const std::string from = registry.address() + "/";
  Guest guest{{.name = "switch",
               .disks = {{.path = state_disk(dir.path()), .bus = Bus::virtio}},
               .user_data = fmt::format("hostname: tested\n"
                                        "users: [default, {{name: plain}}]\n"
                                        "rancher:\n"
                                        "  environment: {{GIVEN: one}}\n"
                                        "  password: opensesame\n"
                                        "  docker: {{insecure_registry: ['{0}']}}\n"
                                        "  system_docker: {{insecure_registry: ['{0}']}}\n",
                                        registry.address()),
               .arguments = {"-kernel", artifact("amd64", "vmlinuz").string(), "-initrd",
                             artifact("amd64", "initrd").string(), "-append",
                             "console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 panic=10 "
                             "rancher.state.dev=LABEL=RANCHER_STATE"}}};
  guest.expect_ready();
  make_image(guest);
  make_inner_image(guest);
  guest.run("docker run -d --name keeper --restart always spot /usr/bin/busybox sleep 1000000");
  const std::string started = guest.run("docker inspect -f '{{.State.StartedAt}}' keeper");
  push_image(guest, from + "mine", fmt::format("{}; echo ID=mine > etc/os-release", kApplets));
  push_image(guest, from + "bare", "true");
  // Works until the box's own /opt lies over it.
  push_image(guest, from + "late", "mv bin/busybox opt; ln -s /opt/busybox bin/sh");
  push_image(guest, from + "engine", engine_script("mine"));
  push_image(guest, from + "engine2", engine_script("later"));
  push_image(guest, from + "broken",
             "printf '#!/bin/sh\\n[ \"$1\" = --version ] && exec /usr/sbin/dockerd --version\\n"
             "echo this engine is broken >&2; exit 1\\n' > usr/local/bin/dockerd;"
             " chmod +x usr/local/bin/dockerd");

  check_small_verbs(guest);
  check_watching(guest);

  // What cannot be a console is refused before anything is touched.
  const std::string console = guest.root("system-docker inspect -f '{{.State.Pid}}' console");
  const auto none = guest.try_run("sudo -n ros console switch -f --no-pull nowhere");
  CHECK(none.status != 0);
  CHECK_THAT(none.output, Contains("no image nowhere"));
  const auto bare = guest.try_run("sudo -n ros console switch -f " + from + "bare");
  CHECK(bare.status != 0);
  CHECK_THAT(bare.output, Contains("/bin/sh does not run"));
  CHECK(guest.root("system-docker inspect -f '{{.State.Pid}}' console") == console);
  // One that fails later gives its place back.
  switch_console(guest, from + "late", "late did not start, and the one before runs again");
  CHECK_THAT(guest.root("ros console list"), Catch::StartsWith("current  default"));
  CHECK(guest.root("ros config get rancher.console") == "default");

  switch_console(guest, from + "mine", "rancheros: console .*mine runs");
  check_console(guest, from + "mine");
  check_login(guest);
  guest.root("echo kept > /etc/kept");

  CHECK_THAT(guest.root("ros engine list"), Catch::StartsWith("current  docker"));
  guest.root("ros engine switch -f " + from + "engine", seconds{300});
  CHECK_THAT(labels(guest), Contains("engine=mine"));
  const auto broken =
      guest.try_run("sudo -n ros engine switch -f " + from + "broken", seconds{300});
  CHECK(broken.status != 0);
  CHECK_THAT(broken.output, Contains("this engine is broken"));
  CHECK_THAT(labels(guest), Contains("engine=mine"));
  CHECK(guest.run("docker inspect -f '{{.State.StartedAt}}' keeper") == started);
  CHECK_THAT(guest.root("ros engine list"), Catch::EndsWith("current  " + from + "engine"));
  check_inner_engine(guest);

  guest.root("ros tls generate --server && ros tls generate");
  guest.root("ros config set rancher.docker.tls true && ros service restart docker", seconds{300});
  guest.run("wait-for-docker");
  check_tls(guest, dir.path());

  // Chosen and not there yet: the box starts with its own and fetches it.
  guest.root("ros config set rancher.docker.engine " + from + "engine2");
  guest.root(
      "mkdir -p /var/lib/rancher/preload/docker && docker tag spot laid/ready &&"
      " docker save laid/ready | gzip > /var/lib/rancher/preload/docker/ready.tar.gz &&"
      " docker rmi laid/ready");

  guest.reboot();
  guest.expect("rancheros: engine .*engine2 runs", seconds{240});
  check_console(guest, from + "mine");
  CHECK(guest.run("cat /etc/kept") == "kept");
  CHECK_THAT(labels(guest), Contains("engine=later"));
  check_tls(guest, dir.path());
  CHECK(guest.root("for i in $(seq 60); do [ -e /var/lib/rancher/preload/docker/*.done ] && break;"
                   " sleep 1; done; docker images -q laid/ready | wc -l") == "1");

  switch_console(guest, "default", "rancheros: console default runs");
  CHECK_THAT(guest.run("cat /etc/os-release"), Contains("RancherOS"));
  CHECK(guest.run("[ -e /etc/kept ] || echo not here") == "not here");
  guest.root("ros engine switch -f docker", seconds{300});
  CHECK(labels(guest) == "[]");
  INFO(registry.server().output());
  CHECK(registry.server().running());
}
