// `ros service`: definitions out of catalogues, files and the configuration; every verb; what keeps
// ending; what a server that lies or is down can do.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <memory>

#include "runtime/base/digest.h"
#include "runtime/base/text.h"
#include "tests/boot/scenario.h"
#include "tests/support/http_server.h"
#include "tests/support/registry.h"

using namespace proof;
using Catch::Contains;

namespace {

constexpr const char* kConf = "/var/lib/rancher/conf";

// A registry without passwords, and a catalogue of three services, on the host.
struct Servers {
  explicit Servers(const fs::path& folder) : registry(folder) {
    catalogue = std::make_unique<ros::test::HttpServer>();
    web = fmt::format(
        "web:\n  image: {}/spot\n"
        "  command: [/usr/bin/busybox, sh, -c, echo serving; exec /usr/bin/busybox sleep 1000000]\n"
        "  restart: always\n  labels: {{io.rancher.os.scope: system}}\n",
        registry_name());
    publish();
  }
  void publish() {
    const std::string early =
        "early:\n  command: sleep 1000000\n  labels: {io.rancher.os.scope: system}\n";
    put("e/early.yml", early);
    put("w/web.yml", web);
    put("b/bad.yml", early);
    put("index.yml", fmt::format("services:\n  early: {}\n  web: {}\n  bad: {}\n",
                                 ros::sha256(early), ros::sha256(web), ros::sha256("another")));
  }
  void put(const std::string& name, const std::string& text) {
    catalogue->put("/catalogue/" + name, text);
  }
  std::string registry_name() const { return registry.address(); }
  std::string catalogue_url() const {
    return ros::replace_all(catalogue->url(), "127.0.0.1", "10.0.2.2") + "/catalogue";
  }

  Registry registry;
  std::unique_ptr<ros::test::HttpServer> catalogue;
  std::string web;  // its definition
};

std::string user_data(const Servers& servers) {
  return fmt::format(R"(rancher:
  docker: {{insecure_registry: ['{0}']}}
  system_docker: {{insecure_registry: ['{0}'], registry_mirror: ['http://{0}']}}
  repositories: {{test: {{url: '{1}'}}}}
  services_include: {{early: true}}
  services:
    early: {{environment: {{MINE: more}}}}
    second:
      command: [sh, -c, 'echo $$0 >> /run/order', second]
      volumes: [/run:/run]
      labels: {{io.rancher.os.scope: system, io.rancher.os.after: first}}
    first:
      command: [sh, -c, 'sleep 1; echo first >> /run/order']
      volumes: [/run:/run]
      labels: {{io.rancher.os.scope: system, io.rancher.os.detach: "false", io.rancher.os.before: console}}
    crashes:
      command: [sh, -c, exit 3]
      restart: always
      labels: {{io.rancher.os.scope: system}}
    recovers:
      command: [sh, -c, 'echo x >> /run/tries; [ $(wc -l < /run/tries) -gt 2 ]']
      volumes: [/run:/run]
      restart: on-failure
      labels: {{io.rancher.os.scope: system}}
    pulled:
      image: {0}/pulled
      command: /usr/bin/busybox sleep 1000000
      restart: always
      labels: {{io.rancher.os.scope: system}}
    yields:
      command: [sh, -c, 'echo x >> /run/yields; exit 4']
      volumes: [/run:/run]
      restart: on-failure:2
      labels: {{io.rancher.os.scope: system}}
    ticks:
      command: [sh, -c, 'echo tick >> /run/ticks']
      volumes: [/run:/run]
      labels: {{io.rancher.os.scope: system, io.rancher.os.createonly: "true", cron.schedule: "*/2 * * * * *"}}
    grouped:
      command: sleep 1000000
      volumes_from: [all-volumes]
      labels: {{io.rancher.os.scope: system}}
    writer:
      command: [sh, -c, 'echo "rancher: {{services: {{found: {{command: sleep 1000000, labels: {{io.rancher.os.scope: system}}}}}}}}" > {2}/cloud-config.d/found.yml']
      volumes: [/var/lib/rancher:/var/lib/rancher]
      labels: {{io.rancher.os.scope: system, io.rancher.os.detach: "false", io.rancher.os.reloadconfig: "true"}}
)",
                     servers.registry_name(), servers.catalogue_url(), kConf);
}

// Waits until the shell's condition holds.
void wait_for(Guest& guest, const std::string& condition) {
  guest.root("for i in $(seq 90); do if " + condition + "; then exit 0; fi; sleep 1; done; exit 1");
}

std::string inspect(Guest& guest, const std::string& container, const std::string& field) {
  return guest.root("system-docker inspect -f '{{" + field + "}}' " + container);
}
std::string row(Guest& guest, const std::string& service) {
  return guest.root("ros service ps " + service + " | sed 1d");
}

// `debian:13-slim` as this registry has it: its apt-get notes what it was asked for.
void push_images(Guest& guest, const Servers& servers) {
  const std::string registry = servers.registry_name();
  guest.run(
      fmt::format("docker tag spot {0}/spot && printf 'FROM spot\\nLABEL other=yes\\n' |"
                  " DOCKER_BUILDKIT=0 docker build -q -t {0}/pulled - && docker push -q {0}/spot &&"
                  " docker push -q {0}/pulled",
                  registry));
  guest.run(fmt::format(
      "mkdir -p d/bin d/usr/bin d/usr/sbin d/lib64 d/usr/lib/x86_64-linux-gnu && cd d &&"
      " for name in sh rm cat sleep chmod; do cp /usr/bin/busybox bin/$name; done &&"
      " cp -L /lib64/ld-linux-x86-64.so.2 lib64/ &&"
      " cp -L /usr/lib/x86_64-linux-gnu/libc.so.6 /usr/lib/x86_64-linux-gnu/libresolv.so.2"
      " usr/lib/x86_64-linux-gnu/ &&"
      " printf '#!/bin/sh\\necho \"$@\" >> /asked\\nprintf \"#!/bin/sh\\\\nexec sleep "
      "1000000\\\\n\" > /usr/sbin/qemu-ga\\nchmod 755 /usr/sbin/qemu-ga\\n' > usr/bin/apt-get &&"
      " chmod 755 usr/bin/apt-get &&"
      " busybox tar -cf - . | docker import - {0}/library/debian:13-slim &&"
      " docker push -q {0}/library/debian:13-slim",
      registry));
  guest.run("docker rmi -f $(docker images -q)");
}

void check_boot(Guest& guest) {
  wait_for(guest, "grep -q second /run/order");
  CHECK(guest.run("cat /run/order") == "first\nsecond");
  wait_for(guest, "[ \"$(system-docker inspect -f '{{.State.Running}}' early)\" = true ]");
  CHECK_THAT(inspect(guest, "early", ".Config.Env"), Contains("MINE=more"));
  wait_for(guest, "[ \"$(system-docker inspect -f '{{.State.Running}}' found)\" = true ]");
  // In any order; what ends the text is trimmed.
  CHECK_THAT(inspect(guest, "grouped", "range .Mounts}}{{.Destination}} {{end") + " ",
             Contains("/host/dev ") && Contains("/opt ") && Contains("/var/lib/docker "));
  CHECK(inspect(guest, "all-volumes", ".State.Status") == "created");
  // What is mounted in a container of the system, here the console, the host has as well.
  guest.root(
      "mkdir /mnt/shared && mount -t tmpfs none /mnt/shared &&"
      " grep -q ' /mnt/shared ' /proc/1/mountinfo && umount /mnt/shared");
  wait_for(guest, "[ $(wc -l < /run/ticks) -ge 2 ]");
  CHECK_THAT(row(guest, "ticks"), Contains("scheduled") || Contains("running"));

  // Started anew until it ends well, or three times in all: then neither is tried again.
  wait_for(guest, "[ $(wc -l < /run/tries) = 3 ] && ! ros service ps recovers | grep -q backoff");
  wait_for(guest, "[ $(wc -l < /run/yields) = 3 ] && ros service ps yields | grep -q exited");
  wait_for(guest, "ros service ps crashes | grep -Eq '[3-9] times in a row'");
  CHECK_THAT(guest.console(),
             Contains("rancheros: error: service crashes ended with status 3; see: ros service"));
  CHECK_THAT(row(guest, "crashes"), Contains("service crashes ended with status 3: ") &&
                                        Contains(" times in a row, again within "));
  CHECK_THAT(row(guest, "yields") + row(guest, "recovers"), !Contains("backoff"));
}

void check_mistakes(Guest& guest, const Servers& servers) {
  const auto fails = [&](const std::string& command, int status, const std::string& message) {
    const Result result = guest.try_run("sudo " + command);
    INFO(command << ": " << result.output);
    CHECK(result.status == status);
    CHECK_THAT(result.output, Contains(message));
  };
  fails("ros service enable wib", 2, "did you mean web?");
  fails("ros service enable bad", 2, "its SHA-256 is not the one in the index of catalogue test");
  fails("ros service up web", 2, "ros service enable web");
  fails("ros service restart ntpp", 2, "did you mean ntp?");
  fails("ros service enable /tmp/x.yml", 2, "may be gone after a reboot");
  fails("ros service frobnicate", 2, "one of: ");
  fails("ros service rm ntp", 2, "service ntp runs");
  guest.root(fmt::format("printf 'web:\\n  imagee: x\\n' > {}/wrong.yml", kConf));
  fails(fmt::format("ros service enable {}/wrong.yml", kConf), 2,
        "wrong.yml:2:3: unknown key web.imagee");
  guest.root(fmt::format("printf 'console: {{image: x}}\\n' > {}/wrong.yml", kConf));
  fails(fmt::format("ros service enable {}/wrong.yml", kConf), 2, "would replace service console");
  guest.root(fmt::format("printf 'none: {{image: {}/none}}\\n' > {}/none.yml",
                         servers.registry_name(), kConf));
  fails(fmt::format("ros service enable {}/none.yml", kConf), 1, "/none cannot be pulled");
  CHECK(guest.root("ros config get rancher.services_include") == "early: true");
}

void check_verbs(Guest& guest) {
  CHECK_THAT(guest.root("ros service list"), Contains("disabled  open-vm-tools") &&
                                                 Contains("enabled   early") &&
                                                 Contains("disabled  web") && !Contains("ntp"));
  CHECK_THAT(guest.root("ros service list -a"), Contains("enabled   ntp"));

  guest.root("ros service enable web");
  CHECK_THAT(row(guest, "web"), Contains("stopped"));  // until somebody says `up`
  guest.root("ros service up web");
  CHECK_THAT(row(guest, "web"), Contains("running"));
  const std::string id = inspect(guest, "web", ".Id");
  guest.root("ros service up web");
  CHECK(guest.root("ros service ps -q web") == id);  // nothing has changed
  CHECK(guest.root("ros service logs web") == "serving");
  CHECK(guest.root("ros logs web") == "serving");
  CHECK_THAT(guest.root("ros service logs early web"),
             Contains("==> early <==") && Contains("==> web <==") && Contains("serving"));

  guest.root("ros service stop -t 1 web");
  CHECK_THAT(row(guest, "web"), Contains("stopped"));
  guest.root("ros service start web");
  CHECK_THAT(row(guest, "web"), Contains("running"));
  const std::string started = inspect(guest, "web", ".State.StartedAt");
  guest.root("ros service restart -t 1 web");
  CHECK(inspect(guest, "web", ".State.StartedAt") != started);
  const std::string pid = inspect(guest, "web", ".State.Pid");
  guest.root("ros service kill web");  // and the supervisor starts it again
  wait_for(guest, "p=$(system-docker inspect -f '{{.State.Pid}}' web); [ $p != 0 ] && [ $p != " +
                      pid + " ]");
  guest.root("ros service up -t 1 --force-recreate web");
  CHECK(inspect(guest, "web", ".Id") != id);
  guest.root("ros config set rancher.services \"{web: {environment: {NEW: word}}}\"");
  guest.root("ros service up -t 1 web");
  CHECK_THAT(inspect(guest, "web", ".Config.Env"), Contains("NEW=word"));
  guest.root("ros service rm -f -v web");
  CHECK_THAT(row(guest, "web"), Contains("stopped"));
  guest.root("ros service create web");
  CHECK(inspect(guest, "web", ".State.Status") == "created");
  guest.root("ros service pull web");
  guest.root("ros service up web");
  // In the foreground one sees what it says for as long as it runs.
  guest.root("ros service stop -t 1 web");
  guest.root("(ros service start --foreground web; echo over) < /dev/null > /run/shown 2>&1 &");
  wait_for(guest, "grep -q serving /run/shown");
  guest.root("ros service stop -t 1 web");
  wait_for(guest, "tail -n 1 /run/shown | grep -qx over");
  guest.root("ros service down -t 1 web");
  CHECK(guest.root("ros service ps -q web").empty());
  guest.root("ros service up web");

  guest.root("ros service disable early");
  CHECK_THAT(guest.root("ros service list"), Contains("disabled  early"));
  guest.root("ros service delete early");
  CHECK(guest.root("ros config get rancher.services_include") == "early: true\nweb: true");
}

// Made on the box out of Debian's packages, by the catalogue of the image.
void check_build(Guest& guest) {
  guest.root("ros service enable qemu-guest-agent", seconds{300});
  guest.root("ros service up qemu-guest-agent");
  CHECK_THAT(row(guest, "qemu-guest-agent"), Contains("running"));
  CHECK_THAT(guest.root("system-docker exec qemu-guest-agent cat /asked"),
             Contains("install -y --no-install-recommends qemu-guest-agent"));
  guest.root("ros service build --no-cache qemu-guest-agent", seconds{300});
}

// Of the scope user: user Docker runs it.
void check_user_scope(Guest& guest, const Servers& servers) {
  guest.root(
      fmt::format("printf 'mine: {{image: {}/spot, command: /usr/bin/busybox sleep 1000000,"
                  " restart: always}}\\n' > {}/mine.yml",
                  servers.registry_name(), kConf));
  guest.root(fmt::format("ros service enable {}/mine.yml", kConf));
  guest.root("ros service up mine");
  CHECK(guest.run("docker inspect -f '{{.State.Running}}' mine") == "true");
  CHECK_THAT(row(guest, "mine"), Contains("running"));
}

void check_garbage(Guest& guest) {
  guest.root(
      "ros service disable web qemu-guest-agent && ros service stop -t 1 web qemu-guest-agent");
  const std::string removed = guest.root("ros os gc");
  CHECK_THAT(removed,
             Contains("removed container web") && Contains("removed container qemu-guest-agent") &&
                 Contains("removed image ros/qemu-guest-agent:latest") && Contains("/spot"));
  CHECK(guest.root("ros os gc").empty());
  CHECK_THAT(guest.root("system-docker images"), Contains("rancher/os"));
}

}  // namespace

TEST_CASE("service: catalogues, files, schedules, every verb, mistakes, and without the servers",
          "[boot][matrix]") {
  ros::TempDir dir;
  Servers servers{dir.path()};
  Guest guest{
      {.name = "service",
       .disks = {{.path = overlay(dir.path(), artifact("vmware", "rancheros.vmdk"), "vmdk", "10G"),
                  .bus = Bus::virtio,
                  .format = "qcow2",
                  .boot = true}},
       .user_data = user_data(servers)}};
  guest.expect_ready();
  check_boot(guest);
  make_image(guest);
  push_images(guest, servers);
  // The boot did not wait for its image, and whoever starts it has gone on asking.
  wait_for(guest, "[ \"$(system-docker inspect -f '{{.State.Running}}' pulled)\" = true ]");
  check_mistakes(guest, servers);
  check_verbs(guest);
  check_build(guest);
  check_user_scope(guest, servers);

  // Its publisher changes one that is switched on.
  servers.web += "  environment: {CHANGED: once}\n";
  servers.publish();
  CHECK_THAT(guest.root("ros service list -u"), Contains("enabled   web"));
  servers.catalogue.reset();
  const Result update = guest.try_run("sudo ros service list -u");
  CHECK(update.status == 1);
  CHECK_THAT(update.output, Contains("index.yml cannot be fetched") && Contains("enabled   web"));
  servers.registry.stop();

  guest.reboot();  // what was enabled is there without them
  wait_for(guest,
           "[ \"$(system-docker inspect -f '{{.State.Running}}' web early | sort -u)\" = true ]");
  CHECK_THAT(inspect(guest, "web", ".Config.Env"),
             Contains("CHANGED=once") && Contains("NEW=word"));
  wait_for(guest, "[ \"$(docker inspect -f '{{.State.Running}}' mine)\" = true ]");
  CHECK_THAT(guest.root("ros logs --lines 5 kernel"), !Catch::Equals(""));
  CHECK_THAT(guest.root("ros logs"), Contains("service crashes ended with status 3"));
  check_garbage(guest);
}
