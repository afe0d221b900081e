#include "runtime/ros/docker_settings.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/ros/registry_auth.h"
#include "runtime/ros/system_docker.h"
#include "runtime/ros/user_docker.h"
#include "tests/support/config.h"

using namespace ros;
using nlohmann::json;
using test::config_of;

namespace {

using Texts = std::vector<std::string>;

json user_json(const std::string& docker, std::string_view own = "{}") {
  return json::parse(user_docker_config(config_of("rancher: {docker: " + docker + "}"), own, true));
}

}  // namespace

TEST_CASE("docker settings: user Docker's file keeps what people wrote and what is configured") {
  const Config config = config_of(
      "rancher: {shutdown_timeout: 40, docker: {insecure_registry: ['10.0.2.2:5000'], debug: true, "
      "log_opts: {max-size: 1m}}}");
  const json file = json::parse(
      user_docker_config(config, R"({"dns":["10.0.0.1"],"debug":false,"log-opts":3})", true));
  CHECK(file == json::parse(R"({"insecure-registries": ["10.0.2.2:5000"], "dns": ["10.0.0.1"],
    "debug": true, "live-restore": true, "log-opts": {"max-size": "1m"}, "shutdown-timeout": 25})"));
  CHECK(json::parse(user_docker_config(config, "{broken", false))["live-restore"] == false);
}

TEST_CASE("docker settings: every key of rancher.docker has its place") {
  const json file = user_json(
      "{bip: 10.9.0.1/16, bridge: br9, group: ops, host: ['unix:///run/docker.sock', "
      "'tcp://0.0.0.0:2375'], "
      "log_driver: syslog, mtu: 1460, registry_mirror: ['http://10.0.0.9'], selinux_enabled: "
      "false, "
      "storage_driver: btrfs, userland_proxy: off}");
  CHECK(file["bip"] == "10.9.0.1/16");
  CHECK(file["bridge"] == "br9");
  CHECK(file["group"] == "ops");
  CHECK(file["hosts"] == json{"unix:///run/docker.sock", "tcp://0.0.0.0:2375"});
  CHECK(file["log-driver"] == "syslog");
  CHECK(file["mtu"] == 1460);
  CHECK(file["registry-mirrors"] == json{"http://10.0.0.9"});
  CHECK(file["selinux-enabled"] == false);
  CHECK(file["storage-driver"] == "btrfs");
  CHECK(file["userland-proxy"] == false);

  const Texts command = user_docker_command(
      config_of("rancher: {docker: {data_root: /mnt/d, exec_root: /run/e, containerd: /run/c.sock, "
                "pid_file: /run/p, extra_args: [--mtu=1400]}}"));
  for (const char* word : {"/mnt/d", "/run/e", "/run/c.sock", "/run/p", "--mtu=1400"}) {
    CAPTURE(word);
    CHECK(std::count(command.begin(), command.end(), word) == 1);
  }
}

TEST_CASE("docker settings: the system's own socket is always listened on") {
  CHECK(user_json("{host: ['tcp://0.0.0.0:2375']}")["hosts"] ==
        json{"tcp://0.0.0.0:2375", "unix:///run/docker.sock"});
  CHECK(user_json("{host: ['unix:///var/run/docker.sock']}")["hosts"] ==
        json{"unix:///var/run/docker.sock"});
  CHECK_FALSE(user_json("{debug: true}").contains("hosts"));
  const auto command = [](const std::string& arguments) {
    return user_docker_command(config_of("rancher: {docker: {extra_args: " + arguments + "}}"));
  };
  const Texts added = command("[-H, 'tcp://0.0.0.0:2375']");
  REQUIRE(added.size() > 4);
  CHECK(Texts(added.end() - 4, added.end()) ==
        Texts{"-H", "tcp://0.0.0.0:2375", "-H", "unix:///run/docker.sock"});
  CHECK(command("[-H, 'unix:///var/run/docker.sock']").back() == "unix:///var/run/docker.sock");
}

TEST_CASE("docker settings: what extra_args say is not said twice") {
  const json file = user_json(
      "{storage_driver: overlay2, host: [a], insecure_registry: [b], debug: true, log_driver: "
      "local,"
      " extra_args: ['--storage-driver=btrfs', -H, 'tcp://x', --insecure-registry, c, -D]}");
  for (const char* gone : {"storage-driver", "hosts", "insecure-registries", "debug"}) {
    CAPTURE(gone);
    CHECK_FALSE(file.contains(gone));
  }
  CHECK(file["log-driver"] == "local");
}

TEST_CASE("docker settings: what a daemon does not heed is said with its place") {
  const Config config = config_of(
      "rancher:\n"
      "  docker:\n"
      "    restart: true\n"
      "    storage_context: ''\n"
      "    bip: 10.0.0.1/8\n"
      "  system_docker:\n"
      "    bip: 10.0.0.1/8\n"
      "    debug: true\n");
  CHECK(settings_without_effect(config) ==
        Texts{"c.yml:3:5: rancher.docker.restart has no effect: Docker has dropped it; each "
              "container has a restart policy",
              "c.yml:7:5: rancher.system_docker.bip has no effect: system services use the "
              "host's network"});
  CHECK(settings_without_effect(
            config_of("rancher: {debug: true, log: true, restart_services: [a], bootstrap: {}}")) ==
        Texts{"c.yml:1:35: rancher.restart_services has no effect"});
  CHECK(settings_without_effect(config_of("rancher: {log: true}")).size() == 1);
  CHECK(settings_without_effect(config_of("rancher: {state: {required: true}}")).empty());
  Config of_users;
  add_layer(of_users, "rancher: {state: {required: true}}",
            "/var/lib/rancher/conf/cloud-config.yml");
  CHECK(settings_without_effect(of_users).size() == 1);
}

TEST_CASE("docker settings: system Docker gets its own over what the image has") {
  const Config config = config_of(
      "rancher: {system_docker: {insecure_registry: [r], log_opts: {max-size: 1m}, bip: 10.0.0.1/8,"
      " storage_driver: btrfs, extra_args: [--mtu=1400]}}");
  CHECK(json::parse(system_docker_config(config, R"({"log-opts": {"max-file": "2"}})", true)) ==
        json::parse(R"({"insecure-registries": ["r"], "debug": true,
                        "log-opts": {"max-file": "2", "max-size": "1m"}})"));
  CHECK(system_docker_command({"dockerd", "--config-file=/etc/x", "--debug", "--live-restore"},
                              config) == Texts{"dockerd", "--live-restore",
                                               "--config-file=/run/ros/system-docker.json",
                                               "--mtu=1400"});
}

TEST_CASE("docker settings: daemons get proxies and their own environment") {
  const Config config = config_of(
      "rancher: {environment: {HTTP_PROXY: 'http://p:1', OTHER: x}, docker: {environment: [A=b]},"
      " system_docker: {environment: {C: d}}}");
  CHECK(daemon_environment(config, Dockerd::user) ==
        Texts{"GOGC=50", "HTTP_PROXY=http://p:1", "A=b"});
  CHECK(daemon_environment(config, Dockerd::system) ==
        Texts{"GOGC=50", "HTTP_PROXY=http://p:1", "C=d"});
  CHECK(daemon_settings(config, Dockerd::system) != daemon_settings(config, Dockerd::user));
  CHECK(daemon_settings(config, Dockerd::system) ==
        daemon_settings(config_of("rancher: {environment: {HTTP_PROXY: 'http://p:1'},"
                                  " system_docker: {environment: {C: d}}}"),
                        Dockerd::system));
}

TEST_CASE("registry auths: docker's config.json has them beside what docker login wrote") {
  const Config config = config_of(
      "rancher: {registry_auths: {'10.0.2.2:5000': {username: user, password: pass}, "
      "docker.io: {auth: YTpi}}}");
  const json file = json::parse(registry_config(
      config, R"({"credsStore": "x", "auths": {"mine": {"auth": "bQ=="}, "old": {}}})", {"old"}));
  CHECK(file == json::parse(R"({"credsStore": "x", "auths": {"mine": {"auth": "bQ=="},
    "10.0.2.2:5000": {"auth": "dXNlcjpwYXNz"}, "https://index.docker.io/v1/": {"auth": "YTpi"}}})"));
  const auto auth = [](const std::string& password) {
    const Config one =
        config_of("rancher: {registry_auths: {r: {username: a, password: '" + password + "'}}}");
    return json::parse(registry_config(one, "{}", {}))["auths"]["r"]["auth"].get<std::string>();
  };
  CHECK(auth("b") == "YTpi");
  CHECK(auth("bc") == "YTpiYw==");
  CHECK(auth("bcd") == "YTpiY2Q=");
}

TEST_CASE("registry auths: half an entry and a broken file are refused") {
  const Config half = config_of("rancher:\n  registry_auths:\n    r: {username: a}\n");
  CHECK_THROWS_WITH(registry_config(half, "{}", {}),
                    Catch::StartsWith("c.yml:3:5: rancher.registry_auths: r has neither auth"));
  CHECK_THROWS_AS(registry_config(config_of("hostname: x"), "[1]", {}), Error);
  CHECK_THROWS_AS(registry_config(config_of("hostname: x"), R"({"auths": 1})", {}), Error);
}
