#include "runtime/ros/supervisor.h"

#include <fmt/format.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/base/timeline.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/containers.h"
#include "runtime/ros/cron.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr seconds kLongEnough{10};      // a run of this length starts the backoff anew
constexpr int kLongestPause = 30;       // seconds
constexpr int kNetworkTimeMs = 20'000;  // that services after the network wait for an address
constexpr const char* kFailures = "/run/ros/failures";
constexpr const char* kReloadFolder = "/run/ros/reload";
constexpr const char* kReload = "/run/ros/reload/now";
constexpr const char* kReloaded = "/run/ros/reload/done";
constexpr int kReloadMs = 10'000;
constexpr const char* kRenewFolder = "/run/ros/renew";

bool is_stopped(const std::string& name) { return fs::exists(fs::path{kStoppedFolder} / name); }

// Blocks while the service is stopped by hand.
void wait_until_wanted(const std::string& name) {
  wait_for_change(kStoppedFolder, -1, [&] { return !is_stopped(name); });
}

void wait_for_address(int limit_ms) {
  watch_addresses(limit_ms, [] { return addresses().empty(); });
}

// Until the clock shows `when`; false when it was set meanwhile.
bool sleep_until(std::time_t when) {
  const Fd timer{::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC)};
  itimerspec end = {};
  end.it_value.tv_sec = when;
  if (!timer || ::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &end,
                                  nullptr) != 0)
    throw Error::from_errno("cannot set a timer");
  std::uint64_t expired = 0;
  return ::read(timer.get(), &expired, sizeof expired) == sizeof expired;
}

Failure next_failure(const Failure& last, const std::string& why) {
  const int pause = std::clamp(last.pause * 2, 1, kLongestPause);
  return {last.count + 1, pause, why.substr(0, why.find_first_of(";\n"))};
}

// For `ros service ps`, which is another process.
void note(const std::string& service, const Failure& failure) {
  const fs::path file = fs::path{kFailures} / service;
  boost::system::error_code absent;
  if (failure.count == 0) {
    fs::remove(file, absent);
  } else {
    write_file_atomically(file,
                          fmt::format("{} {} {}\n", failure.count, failure.pause, failure.why));
  }
}

std::string ended(const Service& service, int status) {
  return fmt::format("service {} ended with status {}; see: ros service logs {}", service.name,
                     status, service.name);
}

}  // namespace

bool stopping() { return fs::exists(kStopping); }

Stopped::HeldSignals::HeldSignals() {
  sigset_t held;
  sigemptyset(&held);
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) sigaddset(&held, number);
  ::pthread_sigmask(SIG_BLOCK, &held, &before_);
}

Stopped::HeldSignals::~HeldSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

Stopped::Stopped(const std::string& service) : service_(service) {
  write_file(fs::path{kStoppedFolder} / service, "");
}

Stopped::~Stopped() {
  if (!kept_) lift(service_);
}

void Stopped::lift(const std::string& service) {
  boost::system::error_code absent;
  fs::remove(fs::path{kStoppedFolder} / service, absent);
}

void request_renewal(const std::string& service) {
  write_file(fs::path{kRenewFolder} / service, "");
}

void request_reload() { write_file(kReload, ""); }

void reload_now() {
  boost::system::error_code absent;
  fs::remove(kReloaded, absent);
  request_reload();
  wait_for_change(kReloadFolder, kReloadMs, [] { return fs::exists(kReloaded); });
}

void wait_for_reload_request() {
  fs::create_directories(kReloadFolder);
  wait_for_change(kReloadFolder, -1, [] { return fs::exists(kReload); });
  fs::remove(kReload);
}

std::optional<Failure> failure_of(const std::string& service) {
  const auto text = try_read_file(fs::path{kFailures} / service);
  const auto fields = text ? words(*text) : std::vector<std::string>{};
  if (fields.size() < 3) return {};
  Failure failure;
  std::from_chars(fields[0].data(), fields[0].data() + fields[0].size(), failure.count);
  std::from_chars(fields[1].data(), fields[1].data() + fields[1].size(), failure.pause);
  failure.why = join({fields.begin() + 2, fields.end()}, " ");
  return failure;
}

void Supervisor::mark_started(const Service& service) {
  {
    const std::lock_guard lock{mutex_};
    started_.insert(service.name);
    tried_.insert(service.name);
    changed_.notify_all();
  }
  if (service.reload_config) request_reload();
}

void Supervisor::mark_tried(const std::string& name) {
  const std::lock_guard lock{mutex_};
  tried_.insert(name);
  changed_.notify_all();
}

// The boot waits neither for it nor for those behind it.
void Supervisor::mark_blocked(const std::string& name) {
  const std::lock_guard lock{mutex_};
  blocked_.insert(name);
  changed_.notify_all();
}

void Supervisor::wait_until_tried() {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [&] {
    return std::ranges::all_of(services_, [&](const auto& entry) {
      const std::string& name = entry.first;
      return !entry.second.system || tried_.contains(name) || blocked_.contains(name);
    });
  });
}

std::optional<Service> Supervisor::current(const std::string& name) {
  const std::lock_guard lock{mutex_};
  const auto found = services_.find(name);
  return found == services_.end() ? std::nullopt : std::optional{found->second};
}

void Supervisor::wait_for_others(const Service& service) {
  {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] {
      bool all = true;
      for (const auto& name : service.after) {
        if (started_.contains(name) || !services_.contains(name)) continue;
        all = false;
        if (blocked_.contains(name) && blocked_.insert(service.name).second) changed_.notify_all();
      }
      return all;
    });
  }
  const auto after = [&](const char* name) { return std::ranges::count(service.after, name) > 0; };
  if (!after("docker") && !after("network")) return;
  mark_tried(service.name);
  if (after("docker")) wait_for_engine(kUserDocker);
  if (after("network")) wait_for_address(kNetworkTimeMs);
}

Supervisor::End Supervisor::run_on_schedule(const Service& service) {
  const Docker docker{service.engine()};
  ensure_container(docker, service);
  mark_started(service);
  const auto next = Schedule::parse(service.schedule).next(std::time(nullptr));
  if (!next) return {.final = true, .failed = true, .reason = service.name + " is never due"};
  if (!sleep_until(*next) || is_stopped(service.name) || !current(service.name)) return {};
  Service now = service;
  now.create_only = false;
  const int status = docker.wait(ensure_started(docker, now));
  return {.failed = status != 0, .reason = ended(service, status)};
}

Supervisor::End Supervisor::run_once(const Service& service, double& since, int& restarts) {
  const Docker docker{service.engine()};
  if (!service.system) wait_for_engine(kUserDocker);
  if (!has_image(docker, service)) {
    mark_blocked(service.name);
    wait_for_address(kNetworkTimeMs);
    provide_image(service, {.quiet = true});
  }
  if (!service.schedule.empty()) return run_on_schedule(service);
  const std::string id = ensure_started(docker, service);
  if (since > 0) note_stage(std::exchange(since, 0), "service " + service.name);
  log::debug(fmt::format("service {} started", service.name));
  service.wait_for_end ? mark_tried(service.name) : mark_started(service);
  // A user service is the user engine's from here on.
  if (service.create_only || !service.system) return {.final = true};
  const int status = docker.wait(id);
  const int most = service.spec.most_restarts;
  const bool again = service.restart ||
                     (service.restart_if_failed && status != 0 && (most == 0 || restarts++ < most));
  return {.final = !again || service.wait_for_end,
          .failed = status != 0,
          .reason = ended(service, status)};
}

void Supervisor::look_after(const std::string& name) {
  if (const auto service = current(name)) wait_for_others(*service);
  Failure failure;
  int restarts = 0;
  double since = uptime();
  for (;;) {
    if (is_stopped(name)) {
      mark_blocked(name);
      wait_until_wanted(name);
      failure = {};
      restarts = 0;
      note(name, failure);
    }
    const auto service = current(name);
    if (!service || stopping()) break;
    const auto began = Clock::now();
    End end;
    try {
      Service now = as_chosen(*service);
      boost::system::error_code absent;
      now.rebuild |= fs::remove(fs::path{kRenewFolder} / name, absent);
      end = run_once(now, since, restarts);
    } catch (const std::exception& error) {
      end = {.failed = true, .reason = fmt::format("service {}: {}", name, error.what())};
      mark_blocked(name);
    }
    if (stopping()) break;
    if (end.final) {
      note(name, {});  // it is not tried again
      mark_started(*service);
      if (end.failed) announce_error(end.reason);
      break;
    }
    if (is_stopped(name)) continue;
    const bool scheduled = !service->schedule.empty();
    if (end.failed || !scheduled) log::info(end.reason);
    const bool well = scheduled ? !end.failed : Clock::now() - began >= kLongEnough;
    failure = well ? Failure{} : next_failure(failure, end.reason);
    note(name, failure);
    // The second in a row: it is not just the engine's restart.
    if (failure.count == 2 && end.failed) announce_error(end.reason);
    if (scheduled) continue;
    // A pause between attempts; the service being stopped ends it early.
    wait_for_change(kStoppedFolder, failure.pause * 1000,
                    [&] { return stopping() || is_stopped(name); });
  }
  const std::lock_guard lock{mutex_};
  threads_.erase(name);
}

void Supervisor::update(std::vector<Service> services) {
  fs::create_directories(kStoppedFolder);
  const std::lock_guard lock{mutex_};
  std::map<std::string, Service> before;
  std::swap(before, services_);
  for (auto& service : services) {
    const std::string name = service.name;
    services_.emplace(name, std::move(service));
    if (before.contains(name) || !threads_.insert(name).second) continue;
    std::thread{[this, name] { look_after(name); }}.detach();
  }
  changed_.notify_all();
  write_file(kReloaded, "");
}

}  // namespace ros
