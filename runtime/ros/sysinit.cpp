// `ros sysinit`: what happens between "system Docker starts" and "ready".
//
// init starts it and starts it again should it end; the services themselves do
// not notice. The order below is the order of the boot.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/timeline.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/azure_report.h"
#include "runtime/ros/catalogue.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/datasource.h"
#include "runtime/ros/docker_settings.h"
#include "runtime/ros/head_start.h"
#include "runtime/ros/mounts.h"
#include "runtime/ros/preload.h"
#include "runtime/ros/process.h"
#include "runtime/ros/settings.h"
#include "runtime/ros/supervisor.h"
#include "runtime/ros/swap.h"
#include "runtime/ros/system_docker.h"
#include "runtime/ros/take_effect.h"
#include "runtime/ros/upgrade.h"
#include "runtime/ros/verbs.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

constexpr int kNoAddressAfterMs = 20'000;
constexpr int kNoIpv4Ms = 10'000;  // after the first address of IPv6
constexpr std::chrono::seconds kReportTime{30};
constexpr std::chrono::seconds kLongestPause{30};
// Found where Azure itself has it, not at an address that somebody gave.
constexpr const char* kAzure = "azure at http://169.254.169.254";

// Configuration that a disk brings counts from its first boot on, so that it is
// read before anything else is done. `data` stays when the network has more.
Config configure(std::optional<UserData>& data, std::vector<std::string>& problems) {
  Config config = load_config();
  data = fetch_local_user_data(config, problems);
  if (data) {
    log::info("configuration from " + data->source);
    try {
      save_user_data(*data, problems);
    } catch (const std::exception& error) {  // a full state: what it brought before still counts
      problems.emplace_back(error.what());
    }
    const std::string before = daemon_settings(config, Dockerd::system);
    config = load_config();
    if (daemon_settings(config, Dockerd::system) != before) restart_system_docker();
  }
  return config;
}

bool has_ipv4(const std::vector<Address>& all) {
  return std::any_of(all.begin(), all.end(), [](const Address& address) {
    return address.address.find(':') == std::string::npos;
  });
}

// A console and an engine that the configuration chooses and system Docker did not have.
void fetch_what_is_chosen() {
  for (const Choice& choice : {kConsole, kEngine}) fetch_chosen(choice);
}

// What only the network has, once there is an address: a metadata service, or
// what the user-data of a disk includes. It counts at once.
void configure_by_network(const std::optional<UserData>& local) {
  std::vector<std::string> problems;
  const Config config = load_config();
  const auto data = local ? local : fetch_network_user_data(config, problems);
  try {
    if (data) {
      apply_user_data(*data, include_fetcher(config), problems);
      if (data->source == kAzure) report_ready_to_azure(Patience{}.at_most(kReportTime));
    }
  } catch (const std::exception& error) {
    problems.emplace_back(error.what());
  }
  for (const auto& problem : problems) announce_error(problem);
}

// Metadata services have an IPv4 address; who asks only others, or has no IPv4, may ask them
// without.
void use_network(bool ask, const std::optional<UserData>& local) {
  if (ask) {
    watch_addresses(kNoIpv4Ms, [] { return !has_ipv4(addresses()); });
    configure_by_network(local);
  }
  fetch_what_is_chosen();
}

// agetty shows /etc/issue and follows the \4 and \6 in it by itself.
void write_issue() {
  std::string text = fmt::format("RancherOS {} \\n \\l\n", ROSBUILD_VERSION);
  std::string last;
  for (const auto& address : addresses()) {
    if (address.interface == last) continue;
    last = address.interface;
    text += fmt::format("{}: \\4{{{}}} \\6{{{}}}\n", last, last, last);
  }
  text += "\n";
  write_file_if_changed("/etc/issue", text);
}

// Archives may be large: they wait for user Docker, and only rancher.preload_wait makes the box
// wait.
void preload_user_images() {
  std::vector<std::string> problems;
  load_archives(fs::path{kPreloadFolder} / "docker", kUserDocker, problems);
  for (const auto& problem : problems) announce_error(problem);
}

// What services_include names is laid under the configuration, as far as it is on this box.
std::vector<Service> services_on_this_box(Config config, std::vector<std::string>& problems) {
  if (!include_services(config, Reach::here, problems).empty()) request_reload();
  return services_of(config, problems);
}

// Asks for another reload() when there is an address; other requests are heard meanwhile.
void reload_with_address() {
  static std::atomic_flag waits;
  if (waits.test_and_set()) return;
  std::thread{[] {
    try {
      watch_addresses(-1, [] { return addresses().empty(); });
      request_reload();
    } catch (const std::exception& error) {
      announce_error(error.what());
    }
    waits.clear();
  }}.detach();
}

// Until every definition is there, or the attempts are used up: a server may come up later than
// the box. Returns what is wrong.
std::vector<std::string> reload(Supervisor& supervisor) {
  using std::chrono::seconds;
  const Config config = load_config();
  std::vector<std::string> problems;
  std::int64_t attempts = config.integer("rancher.http_load_retries", 6);
  auto reach = Reach::here;
  for (seconds pause{0};; pause = std::clamp(pause * 2, seconds{1}, kLongestPause)) {
    problems.clear();
    Config whole = config;
    const auto missing = include_services(whole, reach, problems);
    supervisor.update(services_of(whole, problems));
    if (missing.empty() || attempts-- <= 0) return problems;
    if (addresses().empty()) {
      reload_with_address();
      return problems;
    }
    Patience{}.pause(pause);
    reach = Reach::missing;
  }
}

// `said`: what is on the console already.
void follow_configuration(Supervisor& supervisor, std::set<std::string> said) {
  for (;;) {
    wait_for_reload_request();
    try {
      for (const auto& problem : reload(supervisor))
        if (said.insert(problem).second) announce_error(problem);
    } catch (const std::exception& error) {
      announce_error(error.what());
    }
  }
}

// Ready is what a version on trial has to become.
void settle_version() {
  try {
    if (const auto message = settle(kMediumFolder, running_version()))
      announce("rancheros: " + *message);
  } catch (const std::exception& error) {
    announce_error(error.what());
  }
}

void say_ready() {
  announce(fmt::format("rancheros: ready in {:.2f} s", uptime()));
  for (const auto& address : addresses()) {
    announce(fmt::format("  {} {}", address.interface, address.address));
  }
  write_file(kReady, fmt::format("{:.2f}\n", uptime()));
  write_file("/sys/kernel/rcu_expedited", "0");  // init's, for the boot
}

// System Docker has no bridge. When it starts and nothing of it runs, it therefore deletes what is
// called docker0 (moby, removeDefaultBridgeInterface), which user Docker may have made by then.
void bring_back_default_bridge() {
  try {
    const std::string bridge = Docker{kUserDocker}.default_bridge();
    if (bridge.empty() || fs::exists("/sys/class/net/" + bridge)) return;
    announce("rancheros: user Docker's " + bridge + " was deleted: it starts again");
    service_verb({"restart", "docker"});
    wait_for_engine(kUserDocker);
  } catch (const std::exception& error) {
    announce_error(error.what());
  }
}

// Says which addresses come, from now on. The first one brings what only a network has:
// `with_network`, once.
void follow_addresses(bool restarted, const std::function<void()>& with_network) {
  bool connected = !addresses().empty();
  if (!connected) {
    // Says so once, and again when an address comes.
    watch_addresses(kNoAddressAfterMs, [&] { return !(connected = !addresses().empty()); });
    if (!connected) announce("rancheros: no network address yet; the network service keeps trying");
  }
  bool first_address = true;
  auto known = connected && !restarted ? addresses() : std::vector<Address>{};
  watch_addresses(-1, [&] {
    const auto now = addresses();
    if (first_address && !now.empty()) {
      first_address = false;
      with_network();
    }
    for (const auto& address : now) {
      if (std::find(known.begin(), known.end(), address) == known.end() && !restarted) {
        announce(fmt::format("  {} {}", address.interface, address.address));
      }
    }
    if (now != known) write_issue();
    known = now;
    return true;
  });
}

}  // namespace

int sysinit_verb(const Arguments&) {
  log::set_name("ros");
  fs::create_directories("/run/ros");
  std::vector<std::string> problems;
  std::optional<UserData> local;
  double begin = uptime();
  const bool restarted = fs::exists(kReady);
  const auto stage = [&](const char* name) {
    if (!restarted) note_stage(begin, name);
    begin = uptime();
  };
  Config config = configure(local, problems);
  stage("configuration");
  log::set_debug(config.flag("rancher.debug"));
  problems.insert(problems.end(), config.problems.begin(), config.problems.end());
  for (auto& line : settings_without_effect(config)) problems.push_back(std::move(line));
  bring_up_loopback();
  try {
    apply_hostname(hostname_of(config, load_metadata()));
  } catch (const Error& error) {
    problems.emplace_back(error.what());
  }
  note_shutdown_timeout(config);
  if (!restarted) run_bootcmd_of_users(config);
  mount_all(config, MountStage::boot, problems);  // user Docker may be kept on one
  load_modules(config, problems);
  // For all that starts from here on; some come with modules that are still being loaded.
  const bool set_again = !apply_sysctl(config).empty();
  if (!restarted) write_docker_files(config);
  stage("mounts");
  auto services = services_on_this_box(config, problems);
  const bool ahead = !restarted && may_start_ahead(services);
  if (ahead) {
    try {
      start_ahead();
    } catch (const std::exception& error) {
      problems.emplace_back(error.what());  // its container starts it, later
    }
  }
  if (!restarted)  // services may be made of them
    load_archives(fs::path{kPreloadFolder} / "system-docker", kSystemDocker, problems);
  Supervisor supervisor;
  supervisor.update(std::move(services));
  std::thread{follow_configuration, std::ref(supervisor),
              std::set<std::string>{problems.begin(), problems.end()}}
      .detach();

  std::thread{prepare_disks, config}.detach();
  if (!restarted) {
    for (const auto& problem : problems) announce_error(problem);
  }
  write_issue();

  wait_for_engine(kUserDocker);
  if (set_again)
    for (const auto& problem : apply_sysctl(config)) announce_error(problem);
  stage("user Docker");
  if (!restarted) {
    if (config.flag("rancher.preload_wait")) preload_user_images();
    supervisor.wait_until_tried();
    stage("the last service");
    confirm_system_docker();
    if (ahead) bring_back_default_bridge();
    say_ready();
    settle_version();
  }
  std::thread{preload_user_images}.detach();
  const bool ask = !restarted && (local ? needs_network(local->text) : has_network_sources(config));
  follow_addresses(restarted, [&] {
    std::thread{mount_network, config}.detach();
    std::thread{use_network, ask, local}.detach();
  });
  return 0;
}

}  // namespace ros
