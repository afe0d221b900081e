// Verbs of `ros service` that change what services do.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "runtime/base/error.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/containers.h"
#include "runtime/ros/options.h"
#include "runtime/ros/service_verbs.h"
#include "runtime/ros/supervisor.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

enum class Recreate { changed, always, never };

// Whoever stops the console is ended with it, and could neither start it again nor take a mark
// away.
bool is_console(const Service& service) { return service.name == kConsole.service; }

// Does its container give way to a new one?
bool gives_way(const Docker& docker, const Service& service, Recreate recreate) {
  if (recreate == Recreate::never || !docker.inspect(service.container)) return false;
  return recreate == Recreate::always || is_outdated(docker, service);
}

void clear_way(const Docker& docker, const Service& service, int seconds) {
  docker.stop(service.container, seconds);
  docker.remove(service.container);
}

// The supervisor starts what ends without a mark, in a new container when it is outdated.
void renew_console(const Service& console, Recreate recreate, int seconds) {
  const Docker docker{console.engine()};
  const auto state = docker.inspect(console.container);
  if (recreate == Recreate::always) request_renewal(console.name);
  reload_now();
  Stopped::lift(console.name);
  if (state && state->running) docker.stop(console.container, seconds);
}

Recreate take_recreate(Arguments& arguments) {
  const bool always = take_flag(arguments, "", "--force-recreate");
  const bool never = take_flag(arguments, "", "--no-recreate");
  if (always && never)
    throw Error{"--force-recreate and --no-recreate exclude each other", Error::Kind::usage};
  return always ? Recreate::always : never ? Recreate::never : Recreate::changed;
}

void need_image(const Service& service, bool may_build) {
  if (!service.system) wait_for_engine(kUserDocker);
  if (has_image(Docker{service.engine()}, service)) return;
  if (service.build.wanted() && !may_build)
    throw Error{
        fmt::format("service {}: image {} has not been built", service.name, service.spec.image)}
        .hint("ros service build " + service.name);
  provide_image(service, {});
}

// With what they come after and what has no container yet: groups of volumes, others of their file.
Arguments with_needed(Arguments names, const Services& services) {
  auto containers = Docker{kSystemDocker}.list(true);
  std::ranges::move(user_containers(), std::back_inserter(containers));
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto found = std::ranges::find(services, names[i], &Service::name);
    if (found == services.end()) continue;
    for (const auto& other : services)
      if (std::ranges::count(found->after, other.name) > 0 &&
          std::ranges::count(names, other.name) == 0 &&
          std::ranges::count(containers, other.container, &Container::name) == 0)
        names.push_back(other.name);
  }
  return names;
}

}  // namespace

int service_up(const std::string& verb, Arguments names) {
  const bool create = verb == "create";
  const Recreate recreate = verb == "start" ? Recreate::never : take_recreate(names);
  const bool may_build = !take_flag(names, "", "--no-build");
  const bool foreground = take_flag(names, "", "--foreground");
  const int seconds = take_number(names, "-t", "--timeout", 10);
  expect_names(names, verb, verb == "up" ? 0 : 1);
  const Services services = services_now();
  const Services chosen = choose(with_needed(names, services), services);
  for (const auto& service : chosen) need_image(service, may_build);
  const Service* console = nullptr;  // the last one, for it ends this process
  for (const auto& service : chosen) {
    const Docker docker{service.engine()};
    std::optional<Stopped> stopped;
    if (gives_way(docker, service, recreate)) {
      if (is_console(service)) {
        console = &service;
        continue;
      }
      stopped.emplace(service.name);
      clear_way(docker, service, seconds);
    }
    // One that has a schedule waits for it, unless somebody says `start`.
    if (create || (verb == "up" && !service.schedule.empty())) {
      ensure_container(docker, service);
    } else if (recreate == Recreate::never && docker.inspect(service.container)) {
      docker.start(service.container);
    } else {
      Service now = service;
      now.create_only &= verb != "start" || std::ranges::count(names, service.name) == 0;
      ensure_started(docker, now);
    }
    if (!create) {
      Stopped::lift(service.name);
    } else if (stopped) {
      stopped->keep();
    }
  }
  request_reload();  // the supervisor looks after those that are new
  // Made when it starts the next time: nothing of that can be done ahead.
  if (console && !create) renew_console(*console, recreate, seconds);
  if (foreground && !create) show_logs(chosen, true, -1);
  return 0;
}

int service_restart(Arguments names) {
  const int seconds = take_number(names, "-t", "--timeout", 10);
  expect_names(names, "restart", 1);
  for (const auto& service : choose(names, services_now())) {
    const Docker docker{service.engine()};
    std::optional<Stopped> stopped;
    if (!is_console(service)) {
      stopped.emplace(service.name);  // so that this is no failure
      if (is_outdated(docker, service)) clear_way(docker, service, seconds);
      // Files of write_files come into a container that does not run.
      if (!service.files.items().empty()) docker.stop(service.container, seconds);
    }
    const auto state = docker.inspect(service.container);
    if (state && (state->running || is_console(service))) {
      docker.restart(service.container, seconds);  // the engine does both, whoever is ended by it
    } else {
      ensure_started(docker, service);
    }
    Stopped::lift(service.name);
  }
  return 0;
}

int service_stop(const std::string& verb, Arguments names) {
  const int seconds = take_number(names, "-t", "--timeout", 10);
  const bool volumes = verb == "rm" && take_flag(names, "-v", "--volumes");
  const bool force = verb == "rm" && take_flag(names, "-f", "--force");
  expect_names(names, verb, 1);
  const Services chosen = choose(names, services_now(), Left::found);
  for (const auto& service : chosen) {
    if (verb != "rm" || force) continue;
    const auto state = Docker{service.engine()}.inspect(service.container);
    if (state && state->running)
      throw Error{fmt::format("service {} runs", service.name), Error::Kind::usage}.hint(
          fmt::format("ros service stop {}, or rm -f", service.name));
  }
  for (const auto& service : chosen) {
    const Docker docker{service.engine()};
    Stopped stopped{service.name};
    if (verb != "rm") docker.stop(service.container, seconds);
    if (verb != "stop") docker.remove(service.container, volumes);
    stopped.keep();
  }
  return 0;
}

// One that is killed and should run is started again: that is what tells kill from stop.
int service_kill(Arguments names) {
  const std::string given = take_option(names, "-s", "--signal");
  expect_names(names, "kill", 1);
  for (const auto& service : choose(names, services_now(), Left::found))
    Docker{service.engine()}.kill(service.container, given.empty() ? "SIGKILL" : given);
  return 0;
}

int service_pull(Arguments names) {
  const bool ignore = take_flag(names, "", "--ignore-pull-failures");
  expect_names(names, "pull", 0);
  int failures = 0;
  for (const auto& service : choose(names, services_now())) {
    if (service.spec.image == kSystemImage || service.build.wanted()) continue;
    try {
      pull_image(service, {});
    } catch (const Error& error) {
      say(std::string{"ros: "} + error.what());
      ++failures;
    }
  }
  return failures > 0 && !ignore ? 1 : 0;
}

int service_build(Arguments names) {
  ImageOptions options;
  options.no_cache = take_flag(names, "", "--no-cache");
  options.force_rm = take_flag(names, "", "--force-rm");
  options.pull = take_flag(names, "", "--pull");
  expect_names(names, "build", 0);
  for (const auto& service : choose(names, services_now())) {
    if (service.build.wanted()) {
      build_image(service, options);
    } else if (!names.empty()) {
      throw Error{fmt::format("service {} has no `build`: its image is pulled", service.name),
                  Error::Kind::usage};
    }
  }
  return 0;
}

}  // namespace ros
