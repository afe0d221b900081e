// `ros user-docker`: main process of service `docker`; becomes user Docker.
#include "runtime/ros/user_docker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/engine/docker.h"
#include "runtime/ros/docker_networks.h"
#include "runtime/ros/head_start.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

constexpr int kPriority = -10;  // a nice value
constexpr const char* kExecRoot = "/run/docker";

// containerd runs on the host, and so do the runtimes it starts: every path of
// a container (-v /any/where, its root) is taken there. The daemon therefore
// looks at the host's files; what makes it a container is the rest.
void enter_host_files() {
  const Fd host = open_file("/proc/1/ns/mnt", O_RDONLY);
  if (::setns(host.get(), CLONE_NEWNS) != 0 || ::chdir("/") != 0) {
    throw Error::from_errno("cannot enter the host's mount namespace");
  }
}

std::string graph_of(const Config& config) {
  return config.text("rancher.docker.graph", "/var/lib/docker");
}

}  // namespace

std::string user_docker_config(const Config& config, std::string_view own, bool live_restore) {
  const std::string docker = "rancher.docker.";
  nlohmann::json json = nlohmann::json::parse(own, nullptr, false);
  if (!json.is_object()) json = nlohmann::json::object();
  const auto put_text = [&](const char* key, const char* name) {
    if (auto text = config.text(docker + key); !text.empty()) json[name] = text;
  };
  const auto put_list = [&](const char* key, const char* name) {
    if (auto list = config.texts(docker + key); !list.empty()) json[name] = list;
  };
  const auto put_flag = [&](const char* key, const char* name) {
    if (const Value* value = config.find(docker + key)) {
      if (const auto flag = value->as_bool()) json[name] = *flag;
    }
  };
  put_text("bip", "bip");
  put_text("bridge", "bridge");
  put_text("group", "group");
  put_text("log_driver", "log-driver");
  put_text("storage_driver", "storage-driver");
  put_list("host", "hosts");
  put_list("insecure_registry", "insecure-registries");
  put_list("registry_mirror", "registry-mirrors");
  put_flag("debug", "debug");
  put_flag("userland_proxy", "userland-proxy");
  for (const auto& [key, value] : config.pairs(docker + "log_opts")) {
    if (!json["log-opts"].is_object()) json["log-opts"] = nlohmann::json::object();
    json["log-opts"][key] = value;
  }
  json["live-restore"] = live_restore;
  // What stop-all leaves the daemon for its containers, within the overall limit.
  const auto limit = config.integer("rancher.shutdown_timeout", 60);
  json["shutdown-timeout"] = limit > 20 ? limit - 15 : limit / 2;
  return json.dump(2) + "\n";
}

std::vector<std::string> user_docker_command(const Config& config) {
  std::vector<std::string> argv{"dockerd",
                                "--config-file",
                                kUserDockerConfig,
                                "--containerd",
                                "/run/containerd/containerd.sock",
                                "--data-root",
                                graph_of(config),
                                "--exec-root",
                                kExecRoot,
                                "--pidfile",
                                "/run/docker.pid"};
  for (auto& argument : config.texts("rancher.docker.extra_args")) {
    argv.push_back(std::move(argument));
  }
  return argv;
}

int user_docker_verb(const Arguments& arguments) {
  log::set_name("user-docker");
  if (!arguments.empty() && arguments[0] == "--ahead") {
    detach_ahead();
  } else {
    enter_host_files();
    if (const auto daemon = find_ahead()) return take_over(*daemon);
  }
  // Everybody waits for it, and it waits for forty programs that it runs one by one.
  ::setpriority(PRIO_PROCESS, 0, kPriority);
  const Config config = load_config();
  const bool live_restore = config.flag("rancher.docker.live_restore", true);
  write_file_atomically(
      kUserDockerConfig,
      user_docker_config(config, try_read_file(kDaemonJson).value_or(""), live_restore));
  // No daemon ran since the machine started, so no container of its networks does.
  if (!fs::exists(kExecRoot)) forget_default_networks(graph_of(config));
  // Left behind by a daemon that was killed; a number may have a new owner by now.
  fs::remove("/run/docker.pid");
  std::vector<std::string> environment;
  for (const auto& [name, value] : config.pairs("rancher.docker.environment")) {
    environment.push_back(name + "=" + value);
  }
  for (const char* proxy : {"http_proxy", "https_proxy", "no_proxy"}) {
    const auto value = config.text(fmt::format("rancher.network.{}", proxy));
    if (!value.empty()) environment.push_back(fmt::format("{}={}", proxy, value));
  }
  exec(user_docker_command(config), environment);
}

int wait_for_docker_verb(const Arguments& arguments) {
  wait_for_engine(kUserDocker);
  if (arguments.size() > 1 && arguments[0] == "--then") {
    exec({arguments.begin() + 1, arguments.end()});
  }
  return 0;
}

}  // namespace ros
