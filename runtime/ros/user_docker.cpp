// `ros user-docker`: main process of service `docker`; becomes user Docker.
#include "runtime/ros/user_docker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/engine/docker.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/docker_networks.h"
#include "runtime/ros/docker_settings.h"
#include "runtime/ros/head_start.h"
#include "runtime/ros/process.h"
#include "runtime/ros/settings.h"
#include "runtime/ros/tls.h"
#include "runtime/ros/verbs.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

// Docker gives paths relative to it when an image has very many layers.
constexpr const char* kSystemLayers = "/var/lib/system-docker/overlay2";
constexpr int kPriority = -10;  // a nice value
constexpr const char* kOwnHost = "unix:///run/docker.sock";

// containerd runs on the host, and so do the runtimes it starts: every path of
// a container (-v /any/where, its root) is taken there. The daemon therefore
// looks at the host's files; what makes it a container is the rest.
void enter_host_files() {
  const Fd host = open_file("/proc/1/ns/mnt", O_RDONLY);
  if (::setns(host.get(), CLONE_NEWNS) != 0 || ::chdir("/") != 0) {
    throw Error::from_errno("cannot enter the host's mount namespace");
  }
}

// Where an engine out of an image has its programs, as the host sees them; "" for the system's own.
std::string engine_folder() {
  const char* image = std::getenv(kEngineVariable);
  if (!image || *image == '\0') return {};
  for (const char* folder :
       {"/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/usr/sbin", "/opt/bin", "/engine"}) {
    if (fs::exists(fs::path{folder} / "dockerd"))
      return root_on_host(read_file("/proc/self/mountinfo")) + folder;
  }
  throw Error{
      fmt::format("{} has no dockerd in /usr/local/bin, /usr/bin, /opt/bin or /engine", image),
      Error::Kind::input};
}

// On the host's files, as it will run: Docker's own programs are linked statically.
int probe(const std::string& dockerd) {
  try {
    const std::string version = run_program({dockerd, "--version"});
    fmt::print("{}\n", trim(version));
  } catch (const Error& error) {
    throw Error{fmt::format("its dockerd does not run on the system's files: {}", error.what())}
        .hint("an image with Docker's static programs, such as docker:28-dind");
  }
  return 0;
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

std::string root_on_host(std::string_view mountinfo) {
  constexpr std::string_view kUpper = "upperdir=";
  for (const auto& line : split(mountinfo, '\n')) {
    const auto fields = words(line);
    if (fields.size() < 5 || fields[4] != "/") continue;
    for (const auto& option : split(fields.back(), ','))
      if (option.starts_with(kUpper))
        return fs::absolute(fs::path{option.substr(kUpper.size())}.parent_path() / "merged",
                            kSystemLayers)
            .string();
  }
  throw Error{"the root of this container is no overlay of system Docker's"};
}

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
  for (auto& argument : daemon_arguments(config, Dockerd::user)) {
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
  const std::string engine = engine_folder();
  if (!arguments.empty() && arguments[0] == "--probe") {
    enter_host_files();
    return probe(engine + "/dockerd");
  }
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
  std::vector<std::string> problems;
  write_server_tls(config, problems);
  for (const auto& problem : problems) announce_error(problem);
  // No daemon ran since the machine started, so no container of its networks does.
  if (!fs::exists(exec_root_of(config))) forget_default_networks(graph_of(config));
  // Left behind by a daemon that was killed; a number may have a new owner by now.
  fs::remove(user_docker_pid_file(config));
  auto argv = user_docker_command(config);
  auto environment = daemon_environment(config, Dockerd::user);
  if (!engine.empty()) {
    argv[0] = engine + "/dockerd";
    environment.push_back(fmt::format("PATH={}:{}", engine, std::getenv("PATH")));
  }
  exec(argv, environment);
}

int wait_for_docker_verb(const Arguments& arguments) {
  wait_for_engine(kUserDocker);
  if (arguments.size() > 1 && arguments[0] == "--then") {
    exec({arguments.begin() + 1, arguments.end()});
  }
  return 0;
}

}  // namespace ros
