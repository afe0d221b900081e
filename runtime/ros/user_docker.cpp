// `ros user-docker`: main process of service `docker`; becomes user Docker.
#include "runtime/ros/user_docker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/engine/docker.h"
#include "runtime/ros/docker_networks.h"
#include "runtime/ros/docker_settings.h"
#include "runtime/ros/head_start.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

constexpr int kPriority = -10;  // a nice value
constexpr const char* kOwnHost = "unix:///run/docker.sock";
// A file that people may write; rancher.docker counts more.
constexpr const char* kDaemonJson = "/etc/docker/daemon.json";

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
  return config.text("rancher.docker.data_root",
                     config.text("rancher.docker.graph", "/var/lib/docker"));
}

std::string exec_root_of(const Config& config) {
  return config.text("rancher.docker.exec_root", "/run/docker");
}

// The system itself speaks to user Docker through this one, whatever else it listens on.
bool is_own_socket(std::string_view host) {
  return host == "unix:///run/docker.sock" || host == "unix:///var/run/docker.sock";
}

}  // namespace

std::string user_docker_pid_file(const Config& config) {
  return config.text("rancher.docker.pid_file", "/run/docker.pid");
}

std::string user_docker_config(const Config& config, bool live_restore) {
  const std::string own = config.text("rancher.docker.config_file", kDaemonJson);
  return user_docker_config(config, try_read_file(own).value_or(""), live_restore);
}

std::string user_docker_config(const Config& config, std::string_view own, bool live_restore) {
  nlohmann::json json = daemon_json(config, Dockerd::user, own);
  if (auto& hosts = json["hosts"]; !hosts.is_array()) {
    json.erase("hosts");
  } else if (std::ranges::none_of(hosts, [](const nlohmann::json& host) {
               return host.is_string() && is_own_socket(host.get<std::string>());
             })) {
    hosts.push_back(kOwnHost);
  }
  json["live-restore"] = live_restore;
  // What stop-all leaves the daemon for its containers, within the overall limit.
  const auto limit = config.integer("rancher.shutdown_timeout", 60);
  json["shutdown-timeout"] = limit > 20 ? limit - 15 : limit / 2;
  return json.dump(2) + "\n";
}

std::vector<std::string> user_docker_command(const Config& config) {
  std::vector<std::string> argv{
      "dockerd",
      "--config-file",
      kUserDockerConfig,
      "--containerd",
      config.text("rancher.docker.containerd", "/run/containerd/containerd.sock"),
      "--data-root",
      graph_of(config),
      "--exec-root",
      exec_root_of(config),
      "--pidfile",
      user_docker_pid_file(config)};
  bool listens = false;
  for (auto& argument : config.texts("rancher.docker.extra_args")) {
    listens |= argument.starts_with("-H") || argument.starts_with("--host");
    argv.push_back(std::move(argument));
  }
  if (listens && std::ranges::none_of(argv, is_own_socket)) {
    argv.push_back("-H");
    argv.push_back(kOwnHost);
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
  write_file_atomically(kUserDockerConfig, user_docker_config(config, live_restore));
  // No daemon ran since the machine started, so no container of its networks does.
  if (!fs::exists(exec_root_of(config))) forget_default_networks(graph_of(config));
  // Left behind by a daemon that was killed; a number may have a new owner by now.
  fs::remove(user_docker_pid_file(config));
  exec(user_docker_command(config), daemon_environment(config, Dockerd::user));
}

int wait_for_docker_verb(const Arguments& arguments) {
  wait_for_engine(kUserDocker);
  if (arguments.size() > 1 && arguments[0] == "--then") {
    exec({arguments.begin() + 1, arguments.end()});
  }
  return 0;
}

}  // namespace ros
