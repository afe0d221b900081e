// `ros recovery`: network and sshd for init's recovery console (runtime/init/rescue.h).
//
// There are no engines and no containers here, and whatever is read may be what is
// broken: each step goes on without the one before. Commands and files of the
// configuration are left alone, only its network, keys and password count.
#include <algorithm>
#include <functional>

#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/console.h"
#include "runtime/ros/datasource.h"
#include "runtime/ros/process.h"
#include "runtime/ros/settings.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

void guarded(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    announce_error(error.what());
  }
}

// A disk that brings a configuration counts as it does at a boot.
Config configure() {
  Config config = load_config();
  std::vector<std::string> problems;
  guarded([&] {
    if (const auto data = fetch_local_user_data(config, problems)) {
      save_user_data(*data, problems);
      config = load_config();
    }
  });
  problems.insert(problems.end(), config.problems.begin(), config.problems.end());
  for (const auto& problem : problems) announce_error(problem);
  return config;
}

// In a process of its own, so that ssh does not wait for an address.
void say_addresses() {
  std::vector<Address> known;
  watch_addresses(-1, [&] {
    for (const auto& address : addresses())
      if (std::find(known.begin(), known.end(), address) == known.end()) {
        known.push_back(address);
        announce("rancheros: recovery: ssh rancher@" + address.address);
      }
    return true;
  });
}

}  // namespace

int recovery_verb(const Arguments& arguments) {
  log::set_name("recovery");
  if (!arguments.empty() && arguments[0] == "--say-addresses") {
    say_addresses();
    return 0;
  }
  require_root();
  Config config;
  guarded([&] { config = configure(); });
  guarded([] { bring_up_loopback(); });
  guarded([&] { apply_hostname(hostname_of(config, load_metadata())); });
  guarded([] { fs::create_directories("/run/sshd"); });
  guarded([&] { write_login_keys(config); });
  guarded([&] { set_password(config); });
  guarded([&] {
    std::vector<std::string> problems;
    prepare_host_keys(config, problems);
    for (const auto& problem : problems) announce_error(problem);
  });
  return keep_running(
      {{"ros", "netconf"}, sshd_command(config), {"ros", "recovery", "--say-addresses"}});
}

}  // namespace ros
