// `ros stop-all`: takes the services down. init runs it under the shutdown
// limit and then ends what is left, so that nothing here waits for ever.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/engine/docker.h"
#include "runtime/ros/containers.h"
#include "runtime/ros/supervisor.h"
#include "runtime/ros/user_docker.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr int kServiceSeconds = 5;

// With live-restore, user Docker would leave its containers running. Without,
// it stops them itself and remembers that they are to run at the next boot.
void turn_live_restore_off(const Config& config) {
  pid_t pid = 0;
  const auto text = std::string{trim(try_read_file(user_docker_pid_file(config)).value_or(""))};
  std::from_chars(text.data(), text.data() + text.size(), pid);
  if (pid <= 1 || ::kill(pid, 0) != 0) return;
  const Docker user{kUserDocker};
  auto events = user.open_events(R"({"type":["daemon"],"event":["reload"]})");
  write_file_atomically(kUserDockerConfig, user_docker_config(config, false));
  if (::kill(pid, SIGHUP) != 0) return;
  events.read();  // the reload event; or the daemon died, which serves as well
}

void stop_quietly(const Docker& docker, const std::string& id, int seconds) {
  try {
    docker.stop(id, seconds);
  } catch (const std::exception& error) {
    log::error(error.what());
  }
}

}  // namespace

int stop_all_verb(const Arguments&) {
  log::set_name("stop-all");
  require_root();
  write_file(kStopping, "");
  const Config config = load_config();
  const int limit = static_cast<int>(config.integer("rancher.shutdown_timeout", 60));
  const Docker system{kSystemDocker};
  const auto running = system.list(false);
  const auto named = [&](const std::string& name) {
    return std::find_if(running.begin(), running.end(), [&](const Container& container) {
      const auto service = container.labels.find(kServiceLabel);
      return service != container.labels.end() && service->second == name;
    });
  };
  if (const auto docker = named("docker"); docker != running.end()) {
    try {
      turn_live_restore_off(config);
    } catch (const std::exception& error) {
      log::error(error.what());
    }
    stop_quietly(system, docker->id, std::max(limit - 10, 5));
  }
  std::vector<std::thread> threads;
  const auto console = named("console");
  for (const auto& container : running) {
    if (container.name == "docker" || (console != running.end() && container.id == console->id))
      continue;
    threads.emplace_back([&] { stop_quietly(system, container.id, kServiceSeconds); });
  }
  for (auto& thread : threads) thread.join();
  if (console != running.end()) {
    stop_quietly(system, console->id, kServiceSeconds);
  }
  return 0;
}

}  // namespace ros
