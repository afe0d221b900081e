// `ros system-dockerd COMMAND…`: init starts system Docker through it when some configuration has a
// word for it. A daemon that does not get as far as serving is started without the settings: a
// box without system Docker would have neither console nor network to mend them.
#include "runtime/ros/system_docker.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/engine/docker.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/docker_settings.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

constexpr const char* kOwnConfig = "/etc/docker/system-docker.json";
constexpr const char* kUntried = "/run/ros/system-docker-untried";

}  // namespace

std::string system_docker_config(const Config& config, std::string_view own, bool debug) {
  nlohmann::json json = daemon_json(config, Dockerd::system, own);
  if (debug) json["debug"] = true;
  return json.dump(2) + "\n";
}

std::vector<std::string> system_docker_command(std::vector<std::string> argv,
                                               const Config& config) {
  std::erase(argv, "--debug");
  std::erase_if(argv, [](const std::string& word) { return word.starts_with("--config-file="); });
  argv.push_back(std::string{"--config-file="} + kSystemDockerConfig);
  for (auto& argument : config.texts("rancher.system_docker.extra_args"))
    argv.push_back(std::move(argument));
  return argv;
}

void confirm_system_docker() {
  boost::system::error_code absent;
  fs::remove(kUntried, absent);
}

void restart_system_docker() {
  wait_for_engine(kSystemDocker);
  const std::string text{trim(try_read_file("/run/system-docker.pid").value_or(""))};
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  if (pid <= 1) return;
  confirm_system_docker();
  announce("rancheros: system Docker starts anew with its settings");
  const Fd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  ::kill(pid, SIGTERM);
  pollfd end{process.get(), POLLIN, 0};
  while (process && ::poll(&end, 1, -1) < 0 && errno == EINTR) {
  }
  wait_for_engine(kSystemDocker);
}

int system_dockerd_verb(const Arguments& arguments) {
  if (arguments.empty()) throw Error{"ros system-dockerd needs a COMMAND", Error::Kind::usage};
  if (fs::exists(kUntried)) {
    announce_error("system Docker did not start with rancher.system_docker: it starts without");
    exec(arguments);
  }
  const Config config = load_config();
  write_file(kUntried, "");
  const std::string own = config.text("rancher.system_docker.config_file", kOwnConfig);
  const bool debug = std::ranges::count(arguments, "--debug") > 0;
  write_file_atomically(kSystemDockerConfig,
                        system_docker_config(config, try_read_file(own).value_or(""), debug));
  exec(system_docker_command(arguments, config), daemon_environment(config, Dockerd::system));
}

}  // namespace ros
