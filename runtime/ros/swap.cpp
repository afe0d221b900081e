#include "runtime/ros/swap.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/console.h"
#include "runtime/ros/containers.h"
#include "runtime/ros/process.h"
#include "runtime/ros/supervisor.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

constexpr int kStopSeconds = 10;
constexpr int kServingSeconds = 120;  // within which the new one has to serve
constexpr int kLogLines = 5;

bool is_console(const Choice& choice) { return choice.service == std::string{kConsole.service}; }

Service own_service(const Choice& choice) {
  std::vector<std::string> ignored;
  for (auto& service : services_of(load_config(), ignored))
    if (service.name == choice.service) return service;
  throw Error{fmt::format("there is no service {}", choice.service)}.hint(
      fmt::format("ros config get rancher.services_include.{}", choice.service));
}

std::string last_words(const Docker& docker, const std::string& container) {
  std::string log;
  docker.logs(container, false, kLogLines, [&](int, std::string_view bytes) { log += bytes; });
  return std::string{trim(log)};
}

bool serves(const Choice& choice) {
  if (is_console(choice)) return fs::exists(kConsoleDone);
  try {
    Docker{kUserDocker}.ping();
    return true;
  } catch (const Error&) {
    return false;
  }
}

// The file that tells is in the folder, so that a slice of waiting only ends late when the
// container ended without a word.
void wait_until_serving(const Choice& choice, const Docker& docker, const Service& service) {
  const char* folder = is_console(choice) ? "/run/ros" : "/run";
  for (int i = 0; i < kServingSeconds; ++i) {
    if (wait_for_change(folder, 1000, [&] { return serves(choice); })) return;
    const auto state = docker.inspect(service.container);
    if (state && state->running) continue;
    throw Error{fmt::format("it ended with status {}: {}", state ? state->exit_code : -1,
                            last_words(docker, service.container))};
  }
  throw Error{fmt::format("it did not serve within {} s: {}", kServingSeconds,
                          last_words(docker, service.container))};
}

const char* shown(const Choice& choice, const std::string& image) {
  return image.empty() ? choice.own : image.c_str();
}

}  // namespace

std::string fetch_and_try(const Choice& choice, const std::string& image, bool pull) {
  refuse_old_engine(choice, image);
  if (pull) fetch_image(image);
  if (Docker{kSystemDocker}.image_id(image).empty())
    throw Error{fmt::format("system Docker has no image {}", image), Error::Kind::input}.hint(
        fmt::format("without --no-pull it is fetched, or: system-docker load < {}.tar",
                    choice.verb));
  const char* init = is_console(choice) ? "console-init" : "user-docker";
  const auto [status, output] = try_program(system_docker(
      {"run", "--rm", "--privileged", "--pid=host", "--network=host", "--user=0:0",
       "--volume=/usr/bin/ros:/usr/bin/ros:ro", "--env", std::string{kEngineVariable} + "=" + image,
       "--entrypoint=/usr/bin/ros", image, init, "--probe"}));
  if (status != 0)
    throw Error{fmt::format("{} is no {}: {}", image, choice.verb, trim(output)),
                Error::Kind::input};
  return std::string{trim(output)};
}

void swap(const Choice& choice, const std::string& image) {
  const FileLock lock{"/run/ros/swap.lock"};
  const Docker docker{kSystemDocker};
  const Service own = own_service(choice);
  const Service old = as_chosen(own);
  const Service fresh = image.empty() ? own : from_image(own, image);
  const bool existed = docker.inspect(fresh.container).has_value();
  const Stopped stopped{choice.service};
  docker.stop(old.container, kStopSeconds);
  boost::system::error_code absent;
  // What tells that the new one serves: a console does its files and commands anew, and a daemon
  // that is slow to end must not answer in the place of the next.
  fs::remove(is_console(choice) ? kConsoleDone : kUserDocker, absent);
  try {
    ensure_started(docker, fresh);
    wait_until_serving(choice, docker, fresh);
    write_file(fs::path{kChosenFolder} / choice.service, image);
  } catch (const std::exception& error) {
    const std::string reason = error.what();
    docker.stop(fresh.container, kStopSeconds);
    if (!existed) docker.remove(fresh.container);
    is_console(choice) ? write_file(kConsoleDone, "") : (void)fs::remove(kUserDocker, absent);
    std::string then = "the one before runs again";
    try {
      ensure_started(docker, old);
      wait_until_serving(choice, docker, old);
    } catch (const std::exception& worse) {
      then = fmt::format("nor did the one before ({})", worse.what());
    }
    throw Error{fmt::format("{} {} did not start, and {}: {}", choice.verb, shown(choice, image),
                            then, reason)};
  }
}

void fetch_chosen(const Choice& choice) {
  try {
    const Service own = own_service(choice);
    const std::string& image = own.chosen;
    if (image.empty() || as_chosen(own).spec.image == image) return;
    announce(fmt::format("rancheros: {} {} is fetched", choice.verb, image));
    fetch_and_try(choice, image, Docker{kSystemDocker}.image_id(image).empty());
    swap(choice, image);
    announce(fmt::format("rancheros: {} {} runs", choice.verb, image));
  } catch (const std::exception& error) {
    announce_error(fmt::format("{}: {}\n  the system's own runs; to try again: sudo ros {} switch",
                               choice.key, error.what(), choice.verb));
  }
}

}  // namespace ros
