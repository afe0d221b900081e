#include "runtime/ros/take_effect.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/commands.h"
#include "runtime/ros/console.h"
#include "runtime/ros/docker_settings.h"
#include "runtime/ros/mounts.h"
#include "runtime/ros/settings.h"
#include "runtime/ros/supervisor.h"
#include "runtime/ros/system_docker.h"
#include "runtime/ros/user_docker.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr int kServiceSeconds = 5;  // to end in

std::string saved(std::initializer_list<const char*> names) {
  const fs::path folder = fs::path{"/"} / kConfigFolder;
  std::string text;
  for (const char* name : names) text += try_read_file(folder / name).value_or("") + '\0';
  return text;
}
// What the network service goes by, whichever file says it.
std::string network_of(const Config& config) {
  const Value* network = config.find("rancher.network");
  return network ? to_yaml(*network) : std::string{};
}
std::string saved_user_data() {
  return saved({"cloud-config.d/boot.yml", "cloud-config-script", "metadata"});
}

// The container that a service has now.
std::string container_of(const std::string& service, const Config& config) {
  std::vector<std::string> ignored;
  for (const auto& each : running_services(config, ignored))
    if (each.name == service) return each.container;
  return service;
}

// Services that run by what `before` said and are something else now.
std::set<std::string> changed_services(const Config& before, const Config& now) {
  std::vector<std::string> ignored;
  const auto as_text = [&](const Config& config) {
    std::map<std::string, std::string> all;
    for (const auto& service : running_services(config, ignored))
      all[service.name] =
          create_body(service.spec) + (service.files.items().empty() ? "" : to_yaml(service.files));
    return all;
  };
  const auto old = as_text(before);
  std::set<std::string> changed;
  for (const auto& [name, text] : as_text(now))
    if (const auto found = old.find(name); found != old.end() && found->second != text)
      changed.insert(name);
  return changed;
}

}  // namespace

void run_bootcmd_of_users(const Config& config) {
  const Value* list = config.find("bootcmd");
  if (list && is_of_users(*list)) run_commands(config, "bootcmd", OnFailure::go_on);
}

void note_shutdown_timeout(const Config& config) {
  write_file("/run/ros/shutdown-timeout",
             fmt::format("{}\n", config.integer("rancher.shutdown_timeout", 60)));
}

void mount_network(const Config& config) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock{one_at_a_time};
  std::vector<std::string> problems;
  mount_all(config, MountStage::network, problems);
  for (const auto& problem : problems) announce_error(problem);
}

void prepare_disks(const Config& config) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock{one_at_a_time};
  std::vector<std::string> problems;
  make_swap(config, problems);
  grow_configured(config, problems);
  for (const auto& problem : problems) announce_error(problem);
}

void apply_user_data(const UserData& data, const FetchUrl& fetch,
                     std::vector<std::string>& problems) {
  const Config before = load_config();
  const std::string others = saved_user_data();
  log::info("configuration from " + data.source);
  save_user_data(data, problems, "/", fetch);
  const Docker docker{kSystemDocker};
  const Config config = load_config();
  const auto differs = [&](Dockerd which) {
    return daemon_settings(config, which) != daemon_settings(before, which);
  };
  if (differs(Dockerd::system)) restart_system_docker();
  if (network_of(config) != network_of(before)) docker.restart("network", kServiceSeconds);
  if (saved_user_data() == others) return;
  run_bootcmd_of_users(config);
  note_shutdown_timeout(config);
  load_modules(config, problems);
  std::ranges::move(apply_sysctl(config), std::back_inserter(problems));
  mount_all(config, MountStage::boot, problems);
  apply_hostname(hostname_of(config, load_metadata()));
  auto changed = changed_services(before, config);
  const auto json = [&] { return user_docker_config(config, true); };
  const std::string json_before = json();
  write_docker_files(config);
  if (differs(Dockerd::user) || json() != json_before) changed.insert("docker");
  if (config.texts("rancher.ntp.servers") != before.texts("rancher.ntp.servers"))
    changed.insert("ntp");
  fs::remove(kConsoleDone);  // first, for it has the keys
  docker.restart(container_of("console", config), kServiceSeconds);
  std::vector<std::string> names{changed.begin(), changed.end()};
  std::partition(names.begin(), names.end(),
                 [](const std::string& name) { return name != "docker"; });
  for (const auto& name : names) {
    if (name == "console" || name == "network") continue;  // they have started again
    try {
      service_verb({"restart", "-t", std::to_string(kServiceSeconds), name});
    } catch (const std::exception& error) {
      problems.emplace_back(error.what());
    }
  }
  request_reload();
  std::thread{mount_network, config}.detach();
  std::thread{prepare_disks, config}.detach();
}

}  // namespace ros
