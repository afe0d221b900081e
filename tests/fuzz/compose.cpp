// Files of Compose: what is accepted becomes services with names that are no paths, in an order
// that puts every one behind those that it waits for.
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <set>

#include "runtime/base/error.h"
#include "runtime/ros/cron.h"
#include "runtime/ros/services.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  ros::Config config;
  try {
    config.tree.set_path("rancher.services", ros::parse_compose(text, "f"));
  } catch (const ros::Error&) {
    return 0;
  }
  std::vector<std::string> problems;
  std::set<std::string> placed;
  for (const auto& service : ros::services_of(config, problems)) {
    if (!ros::is_service_name(service.name)) std::abort();
    for (const auto& other : service.after)
      if (!placed.contains(other)) std::abort();
    placed.insert(service.name);
    if (service.schedule.empty()) continue;
    const std::time_t now = 1795000000;
    const auto next = ros::Schedule::parse(service.schedule).next(now);
    if (next && *next <= now) std::abort();
  }
  return 0;
}
