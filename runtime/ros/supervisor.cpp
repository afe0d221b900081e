#include "runtime/ros/supervisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/timeline.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr seconds kLongEnough{10};  // a run of this length starts the backoff anew
constexpr seconds kLongestPause{30};

// Blocks while the service is stopped by hand.
void wait_until_wanted(const std::string& name) {
  const fs::path mark = fs::path{kStoppedFolder} / name;
  if (!fs::exists(mark)) return;
  wait_for_change(kStoppedFolder, -1, [&] { return !fs::exists(mark); });
}

}  // namespace

bool stopping() { return fs::exists(kStopping); }

void Supervisor::mark_started(const std::string& name) {
  const std::lock_guard lock{mutex_};
  started_.insert(name);
  tried_.insert(name);
  changed_.notify_all();
}

void Supervisor::mark_tried(const std::string& name) {
  const std::lock_guard lock{mutex_};
  tried_.insert(name);
  changed_.notify_all();
}

void Supervisor::wait_until_tried() {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [&] {
    return std::all_of(services_.begin(), services_.end(), [&](const Service& service) {
      return !service.system || tried_.contains(service.name);
    });
  });
}

void Supervisor::wait_for_others(const Service& service) {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [&] {
    return std::all_of(service.after.begin(), service.after.end(),
                       [&](const std::string& name) { return started_.contains(name); });
  });
}

void Supervisor::look_after(const Service& service) {
  wait_for_others(service);
  const Docker docker{service.system ? kSystemDocker : kUserDocker};
  seconds pause{0};
  bool complained = false;
  double begin = uptime();
  for (;;) {
    wait_until_wanted(service.name);
    if (stopping()) return;
    const auto began = Clock::now();
    std::string reason;
    try {
      if (!service.system) wait_for_engine(kUserDocker);
      const std::string id = ensure_container(docker, as_chosen(service));
      if (service.create_only) return mark_started(service.name);
      docker.start(id);
      if (begin > 0) note_stage(std::exchange(begin, 0), "service " + service.name);
      log::debug(fmt::format("service {} started", service.name));
      complained = false;
      service.wait_for_end ? mark_tried(service.name) : mark_started(service.name);
      if (!service.system) return;  // a user service is the user engine's from here on
      const int status = docker.wait(id);
      reason = fmt::format("service {} ended with status {}", service.name, status);
      if (!service.restart || service.wait_for_end) {
        mark_started(service.name);
        if (status != 0 && !stopping()) announce_error(reason);
        return;
      }
      if (status != 0 && !complained && !stopping() && pause > seconds{0}) {
        announce_error(
            fmt::format("{} again and again; see: ros service logs {}", reason, service.name));
        complained = true;
      }
    } catch (const std::exception& error) {
      reason = fmt::format("service {}: {}", service.name, error.what());
      if (!complained && !stopping() && pause > seconds{0}) {
        announce_error(reason);  // the second failure in a row: it is not just the engine's restart
        complained = true;
      }
    }
    mark_tried(service.name);
    if (stopping()) return;
    log::info(reason);
    pause = Clock::now() - began >= kLongEnough ? seconds{0}
                                                : std::clamp(pause * 2, seconds{1}, kLongestPause);
    // A pause between attempts; the service being stopped and started ends it early.
    wait_for_change(kStoppedFolder, static_cast<int>(pause.count() * 1000),
                    [] { return stopping(); });
  }
}

void Supervisor::start() {
  fs::create_directories(kStoppedFolder);
  for (const Service& service : services_) {
    std::thread{[this, &service] { look_after(service); }}.detach();
  }
}

}  // namespace ros
