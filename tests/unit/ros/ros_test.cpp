// The parts of `ros` that are functions of their arguments or of a folder.
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/console.h"
#include "runtime/ros/datasource.h"
#include "runtime/ros/label.h"
#include "runtime/ros/process.h"
#include "runtime/ros/seed.h"
#include "runtime/ros/services.h"
#include "runtime/ros/settings.h"
#include "runtime/ros/user_docker.h"
#include "runtime/ros/verbs.h"
#include "tests/support/config.h"

using namespace ros;
using test::config_of;

namespace {

std::vector<std::string> names(const std::vector<Service>& services) {
  std::vector<std::string> list;
  for (const auto& service : services) list.push_back(service.name);
  return list;
}

}  // namespace

TEST_CASE("services are put in the order that their labels ask for") {
  std::vector<std::string> problems;
  const auto services = services_of(config_of(R"(
rancher:
  services_include: {off: false, a: true}
  services:
    a: {labels: {io.rancher.os.scope: system, io.rancher.os.after: "b, nowhere"}}
    b: {labels: {io.rancher.os.scope: system}}
    c: {labels: {io.rancher.os.scope: system, io.rancher.os.before: b}}
    off: {image: x}
)"),
                                    problems);
  CHECK(names(services) == std::vector<std::string>{"c", "b", "a"});
  CHECK(problems.empty());
  CHECK(services[0].spec.image == kSystemImage);
}

TEST_CASE("a cycle is named and broken") {
  std::vector<std::string> problems;
  const auto services = services_of(config_of(R"(
rancher:
  services:
    a: {labels: {io.rancher.os.scope: system, io.rancher.os.after: b}}
    b: {labels: {io.rancher.os.scope: system, io.rancher.os.after: a}}
)"),
                                    problems);
  CHECK(services.size() == 2);
  CHECK(services[0].after.empty());  // else both would wait for ever
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].find("cycle") != std::string::npos);
}

TEST_CASE("a service is read in Compose's words") {
  std::vector<std::string> problems;
  const auto services = services_of(config_of(R"(
rancher:
  environment: {TAG: "5", TOKEN: secret}
  services:
    docker: {labels: {io.rancher.os.scope: system}}
    web:
      image: site/web:${TAG}
      command: run --fast $$HOME 'a b'
      environment: [TOKEN, "A=b=c"]
      restart: always
      mem_limit: 64m
      labels: [io.docker.compose.rebuild=always]
)"),
                                    problems);
  REQUIRE(names(services) == std::vector<std::string>{"docker", "web"});
  const Service& web = services[1];
  CHECK_FALSE(web.system);
  CHECK(web.spec.restart == "always");
  CHECK_FALSE(web.restart);
  CHECK(web.rebuild);
  CHECK(web.spec.image == "site/web:5");
  CHECK(web.spec.command == std::vector<std::string>{"run", "--fast", "$HOME", "a b"});
  CHECK(web.spec.environment ==
        std::vector<std::pair<std::string, std::string>>{{"TOKEN", "secret"}, {"A", "b=c"}});
  CHECK(web.spec.memory == 64 << 20);
}

TEST_CASE("restart: on-failure may say how often, which is not part of the policy's name") {
  std::vector<std::string> problems;
  const auto services = services_of(config_of(R"(
rancher:
  services:
    docker: {labels: {io.rancher.os.scope: system}}
    own: {restart: "on-failure:5", labels: {io.rancher.os.scope: system}}
    theirs: {image: x, restart: "on-failure:3"}
    without: {image: x, restart: on-failure}
    wrong: {image: x, restart: "on-failure:x"}
    worse: {image: x, restart: "always:2"}
)"),
                                    problems);
  REQUIRE(names(services) == std::vector<std::string>{"docker", "own", "theirs", "without"});
  CHECK(services[1].restart_if_failed);
  CHECK(services[1].spec.most_restarts == 5);
  const auto has = [&](std::size_t i, const char* text) {
    return create_body(services[i].spec).find(text) != std::string::npos;
  };
  CHECK(has(1, R"("RestartPolicy":{"Name":"no"})"));
  CHECK(has(2, R"("RestartPolicy":{"MaximumRetryCount":3,"Name":"on-failure"})"));
  CHECK(has(3, R"("RestartPolicy":{"Name":"on-failure"})"));
  REQUIRE(problems.size() == 2);
  CHECK_THAT(problems[0], Catch::Contains("c.yml:8:") &&
                              Catch::Contains("service wrong: restart: on-failure:x is not"));
  CHECK_THAT(problems[1], Catch::Contains("service worse: restart: always:2 is not understood"));
}

TEST_CASE("variables of a definition have Compose's defaults, other dollar signs stay") {
  const auto environment = [](const std::string& text) {
    std::vector<std::string> problems;
    const auto services = services_of(
        config_of("rancher:\n  environment: {TAG: '5', EMPTY: ''}\n  services:\n    web:\n"
                  "      environment: {A: '" +
                  text + "'}\n"),
        problems);
    return services.empty() ? "problem: " + problems.at(0) : services[0].spec.environment[0].second;
  };
  CHECK(environment("${TAG}.$TAG.${TAG:-6}.${TAG-6}") == "5.5.5.5");
  CHECK(environment("a${NONE:-1.27}b${NONE-1.27}c${NONE}d$NONE") == "a1.27b1.27cd");
  CHECK(environment("${EMPTY:-1}.${EMPTY-2}.${EMPTY:-}") == "1..");
  CHECK(environment("$(date) $ $1 $$TAG $") == "$(date) $ $1 $TAG $");
  for (const char* wrong :
       {"${TAG:?why}", "${TAG:+x}", "${TAG+x}", "${}", "${a b}", "${A:-${B}}"}) {
    INFO(wrong);
    CHECK_THAT(environment(wrong), Catch::Contains(":5:21: $") && Catch::Contains("understood"));
  }
  CHECK_THAT(environment("${TAG"), Catch::Contains(":5:21: ${TAG has no }"));
}

TEST_CASE("a service whose command cannot be read is left out, and its place said") {
  std::vector<std::string> problems;
  const auto services = services_of(config_of("rancher:\n  services:\n"
                                              "    bad: {command: sh -c 'echo}\n"
                                              "    good: {command: echo}\n"),
                                    problems);
  CHECK(names(services) == std::vector<std::string>{"good"});
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0], Catch::Contains(":3:11: service bad: command: a quote ' is not closed"));
}

TEST_CASE("a getty runs on each console that the command line names") {
  CHECK(getty_consoles("console=tty1 console=ttyS0,115200 quiet console=tty0", {}) ==
        std::vector<std::string>{"tty1", "ttyS0"});
  CHECK(getty_consoles("quiet", {"ttyS1"}) == std::vector<std::string>{"ttyS1"});
  CHECK(getty_consoles("console=../../etc console=hvc0", {}) == std::vector<std::string>{"tty1"});
  const auto serial = getty_command("ttyS0", true);
  CHECK(std::find(serial.begin(), serial.end(), "rancher") != serial.end());
  CHECK(serial.back() == "vt220");
  CHECK(getty_command("tty1", false) ==
        std::vector<std::string>{"agetty", "--noclear", "tty1", "linux"});
}

TEST_CASE("sshd takes passwords only when one is given") {
  const auto plain = sshd_command(config_of("hostname: x"));
  CHECK(plain == std::vector<std::string>{"/usr/sbin/sshd", "-D"});
  const auto set = sshd_command(config_of("rancher: {password: p, ssh: {port: 2222}}"));
  CHECK(std::find(set.begin(), set.end(), "PasswordAuthentication=yes") != set.end());
  CHECK(std::find(set.begin(), set.end(), "Port=2222") != set.end());
}

TEST_CASE("host keys are made, taken over, and not lost to a bad one") {
  TempDir root;
  std::vector<std::string> problems;
  const fs::path given = root.path() / "given";
  try {
    run_program({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", given.string()});
  } catch (const Error& error) {
    WARN("SKIPPED: " << error.what());
    return;
  }
  const fs::path keys = root.path() / "var/lib/rancher/ssh";
  const auto read = [&](const char* name) { return read_file(keys / name); };
  fs::create_directories(root.path() / "etc/ssh");
  Config config;
  prepare_host_keys(config, problems, root.path());
  CHECK(problems.empty());
  const std::string ecdsa = read("ssh_host_ecdsa_key");
  CHECK(read("ssh_host_ed25519_key.pub").starts_with("ssh-ed25519 "));
  CHECK(fs::read_symlink(root.path() / "etc/ssh/ssh_host_ecdsa_key.pub") ==
        keys / "ssh_host_ecdsa_key.pub");

  config.tree.set_path("rancher.ssh.keys.ed25519",
                       Value::scalar(std::string{trim(read_file(given))}));
  config.tree.set_path("rancher.ssh.keys.ed25519-pub", Value::scalar("x"));
  prepare_host_keys(config, problems, root.path());
  CHECK(problems.empty());
  CHECK(read("ssh_host_ed25519_key") == read_file(given));
  CHECK((fs::status(keys / "ssh_host_ed25519_key").permissions() & 0777) == 0600);
  CHECK(trim(read("ssh_host_ed25519_key.pub")) == trim(read_file(given.string() + ".pub")));
  CHECK(read("ssh_host_ecdsa_key") == ecdsa);

  config.tree.set_path("rancher.ssh.keys.ed25519", Value::scalar("no key"));
  config.tree.set_path("rancher.ssh.keys.rsa", Value::scalar("x"));
  fs::remove(keys / "ssh_host_ecdsa_key");
  prepare_host_keys(config, problems, root.path());
  CHECK(read("ssh_host_ed25519_key") == read_file(given));
  CHECK(read("ssh_host_ecdsa_key") != ecdsa);
  REQUIRE(problems.size() == 2);
  CHECK_THAT(problems[0], Catch::Contains("rancher.ssh.keys.rsa is no host key: only ed25519 and "
                                          "ecdsa are"));
  CHECK_THAT(problems[1], Catch::StartsWith("rancher.ssh.keys.ed25519: "));
}

TEST_CASE("write_files writes what it can and names what it cannot") {
  TempDir root;
  write_file(root.path() / "etc/passwd", "rancher:x:1100:1100::/home/rancher:/bin/sh\n");
  write_file(root.path() / "etc/group", "docker:x:1101:\n");
  const Config config = config_of(R"(
write_files:
  - {path: /a/b, content: "hi\n", permissions: "0750"}
  - {path: /c, content: aGVsbG8=, encoding: b64}
  - {path: /z, content: H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==, encoding: gzip+base64}
  - {path: relative, content: x}
  - {path: /d, content: "%%%", encoding: base64}
  - {path: /e, content: x, encoding: rot13}
  - {path: /f, content: x, permissions: "0999"}
  - {path: /g, content: x, owner: nobody-knows}
  - {path: /h, content: x, container: network}
)");
  std::vector<std::string> problems;
  write_files(config, "console", problems, root.path());
  CHECK(read_file(root.path() / "a/b") == "hi\n");
  CHECK((fs::status(root.path() / "a/b").permissions() & 0777) == 0750);
  CHECK(read_file(root.path() / "c") == "hello");
  for (const auto& problem : problems) UNSCOPED_INFO(problem);
  CHECK(problems.size() == 5 + (fs::exists(root.path() / "z") ? 0 : 1));
  CHECK(problems[0].starts_with("c.yml:6:5: write_files relative: "));
  CHECK_FALSE(fs::exists(root.path() / "h"));
  problems.clear();
  write_files(config, "network", problems, root.path());
  CHECK(fs::exists(root.path() / "h"));
}

TEST_CASE("write_files: what user Docker reads is written before it starts") {
  TempDir root;
  const std::string text =
      "write_files:\n"
      "  - {path: /etc/docker/daemon.json, content: '{}'}\n"
      "  - {path: /etc/docker/certs.d/r/ca.crt, content: c}\n"
      "  - {path: /etc/docker/other, content: x, container: ntp}\n"
      "  - {path: /etc/motd, content: hello}\n"
      "  - {path: /opt/own.json, content: own}\n";
  write_docker_files(config_of(text), root.path());
  CHECK(read_file(root.path() / "etc/docker/daemon.json") == "{}");
  CHECK(read_file(root.path() / "etc/docker/certs.d/r/ca.crt") == "c");
  for (const char* absent : {"etc/docker/other", "etc/motd", "opt/own.json"})
    CHECK_FALSE(fs::exists(root.path() / absent));
  write_docker_files(config_of(text + "rancher: {docker: {config_file: /opt/own.json}}\n"),
                     root.path());
  CHECK(read_file(root.path() / "opt/own.json") == "own");
}

TEST_CASE("/etc/hosts keeps what people wrote when the name changes") {
  const std::string hosts = "127.0.0.1\tlocalhost\n127.0.1.1\told\n192.0.2.1 server # mine\n";
  const std::string named = hosts_with("box", hosts);
  CHECK(named == "127.0.0.1\tlocalhost\n192.0.2.1 server # mine\n127.0.1.1\tbox\n");
  CHECK(hosts_with("box", named) == named);
  CHECK(hosts_with("box", "") == "127.0.1.1\tbox\n");
}

TEST_CASE("write_files writes into a file that is a mount of its own") {
  TempDir root;
  const fs::path hosts = root.path() / "etc/hosts";
  write_file(hosts, "before, and longer\n");
  const Config config = config_of("write_files: [{path: /etc/hosts, content: now}]\n");
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
        ::mount(hosts.c_str(), hosts.c_str(), nullptr, MS_BIND, nullptr) != 0)
      ::_exit(77);
    std::vector<std::string> problems;
    write_files(config, "console", problems, root.path());
    ::_exit(problems.empty() ? 0 : 1);
  }
  const int status = wait_for(child);
  if (status == 77) {
    WARN("SKIPPED: no namespaces here");
    return;
  }
  CHECK(status == 0);
  CHECK(read_file(hosts) == "now");
}

TEST_CASE("NoCloud and config drives are read") {
  TempDir folder;
  std::vector<std::string> problems;
  write_file(folder.path() / "user-data", "#cloud-config\nhostname: a\n");
  write_file(folder.path() / "meta-data", "instance-id: i\nlocal-hostname: meta\n");
  const UserData nocloud = read_nocloud(folder.path(), problems);
  CHECK(nocloud.text == "#cloud-config\nhostname: a\n");
  CHECK(nocloud.metadata.hostname == "meta");
  write_file(folder.path() / "openstack/latest/user_data", "#!/bin/sh\n");
  write_file(folder.path() / "openstack/latest/meta_data.json",
             R"({"hostname":"drive","public_keys":{"k":"ssh-rsa X"},"n":null})");
  const UserData drive = read_config_drive(folder.path(), problems);
  CHECK(drive.metadata.ssh_keys == std::vector<std::string>{"ssh-rsa X"});
  CHECK(problems.empty());

  TempDir root;
  save_user_data(nocloud, problems, root.path());
  CHECK(load_config(root.path()).text("hostname") == "a");
  CHECK(hostname_of(load_config(root.path()), load_metadata(root.path())) == "a");
  save_user_data(drive, problems, root.path());
  CHECK(load_metadata(root.path()).ssh_keys == std::vector<std::string>{"ssh-rsa X"});
  CHECK((fs::status(root.path() / kConfigFolder / "cloud-config-script").permissions() & 0777) ==
        0700);
  CHECK(hostname_of(config_of("rancher: {}"), {}, root.path()) == "rancher");
  write_file(root.path() / kDhcpHostname, "dhcp\n");
  CHECK(hostname_of(config_of("rancher: {}"), {}, root.path()) == "dhcp");
  CHECK(hostname_of(config_of("rancher: {}"), {.hostname = "meta"}, root.path()) == "meta");
  CHECK(hostname_of(config_of("fqdn: full.example"), {}, root.path()) == "full");

  // What is the same is not written: a full disk takes no file.
  const auto inode = [&](const char* name) {
    struct stat info = {};
    REQUIRE(::stat((root.path() / kConfigFolder / name).c_str(), &info) == 0);
    return info.st_ino;
  };
  save_user_data(nocloud, problems, root.path());
  const auto config_inode = inode("cloud-config.d/boot.yml"), metadata_inode = inode("metadata");
  save_user_data(nocloud, problems, root.path());
  CHECK(inode("cloud-config.d/boot.yml") == config_inode);
  CHECK(inode("metadata") == metadata_inode);
  problems.clear();

  write_file(folder.path() / "meta-data", "a: [\n");
  read_nocloud(folder.path(), problems);
  CHECK(problems.size() == 1);
  save_user_data({"x", "#cloud-boothook\n", {}}, problems, root.path());
  CHECK(problems.size() == 2);
}

TEST_CASE("labels are found in the bytes of a file system") {
  const auto label = [](const std::string& image) {
    return label_of([&](long offset, std::size_t size) {
      const auto at = static_cast<std::size_t>(offset);
      return at < image.size() ? image.substr(at, size) : std::string{};
    });
  };
  std::string iso(40'000, '\0');
  iso.replace(32769, 5, "CD001");
  iso.replace(32768 + 40, 32, "cidata                          ");
  CHECK(label(iso) == "cidata");
  std::string ext(4096, '\0');
  ext.replace(1024 + 56, 2, "\x53\xef");
  ext.replace(1024 + 120, 5, "STATE");
  CHECK(label(ext) == "STATE");
  std::string fat(4096, '\0');
  fat.replace(510, 2, "\x55\xaa");
  fat.replace(54, 5, "FAT16");
  fat.replace(43, 11, "config-2   ");
  CHECK(label(fat) == "config-2");
  CHECK(label("").empty());
  CHECK(label(std::string(100'000, 'x')).empty());
}

TEST_CASE("programs are started, fed and judged") {
  CHECK(run({"sh", "-c", "exit 3"}) == 3);
  CHECK(run({"sh", "-c", "kill -9 $$"}) == 137);
  const std::string much(1 << 20, 'x');
  CHECK(capture({"cat"}, much) == much);
  CHECK_THROWS_WITH(capture({"sh", "-c", "exit 4"}), Catch::Contains("status 4"));
  CHECK_THROWS_WITH(run({"/no/such/program"}), Catch::Contains("/no/such/program"));
  ::signal(SIGPIPE, SIG_IGN);                               // as main() does
  CHECK(capture({"sh", "-c", "exec true"}, much).empty());  // a reader that does not read
}

TEST_CASE("an unknown word gets a suggestion") {
  CHECK_THROWS_WITH(unknown_word("ros", "servcie", {"service", "config"}),
                    Catch::Contains("did you mean service?"));
}
