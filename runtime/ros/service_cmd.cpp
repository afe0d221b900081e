// `ros service`: the system services, which are containers of system Docker, and those of user
// Docker that the configuration has.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/ros/catalogue.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/containers.h"
#include "runtime/ros/options.h"
#include "runtime/ros/supervisor.h"
#include "runtime/ros/verbs.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

constexpr const char* kHelp =
    "usage: ros service list [-a] [-u]           services that can be switched on, and which are\n"
    "           -a, --all     the system's own, too\n"
    "           -u, --update  asks the catalogues anew, also what enabled ones are\n"
    "       ros service enable NAME...           from the next boot on, or from `up` on; NAME is\n"
    "                                            one of `list`, a file or a URL\n"
    "       ros service disable NAME...          the opposite\n"
    "       ros service delete NAME...           as if nobody had ever said either\n"
    "\n"
    "       ros service ps [-q] [NAME...]        their containers; -q: the IDs only\n"
    "       ros service logs [-f] [-n N] NAME... the last N lines (--tail, --lines), 100 when\n"
    "                                            not given; -f goes on as more is written\n"
    "       ros service up [--force-recreate | --no-recreate] [--no-build] [--foreground]\n"
    "                      [-t SECONDS] [NAME...]  starts them, in new containers where the\n"
    "                                            definition has changed; -t: what the old ones\n"
    "                                            have to stop\n"
    "       ros service start [--no-build] [--foreground] NAME...\n"
    "       ros service stop [-t SECONDS] NAME...    until it is started, or the next boot\n"
    "       ros service restart [-t SECONDS] NAME...\n"
    "       ros service kill [-s SIGNAL] NAME...\n"
    "       ros service down [-t SECONDS] NAME...    stops them and removes their containers\n"
    "       ros service rm [-f] [-v] NAME...     removes containers that do not run; -f: all\n"
    "           -v            and their volumes\n"
    "       ros service create [--force-recreate | --no-recreate] [--no-build] [-t SECONDS]\n"
    "                          NAME...\n"
    "       ros service pull [--ignore-pull-failures] [NAME...]\n"
    "       ros service build [--no-cache] [--force-rm] [--pull] [NAME...]\n";

using Services = std::vector<Service>;

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }
void say(const std::string& line) { fmt::print(stderr, "{}\n", line); }

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i + 1 < row.size() ? fmt::format("{:<{}}  ", row[i], widths[i]) : row[i];
    }
    print(line + "\n");
  }
}

// What is left must be names.
void expect_names(const Arguments& names, const std::string& verb, std::size_t least) {
  expect_words(names, least, std::max<std::size_t>(names.size(), least), "ros service " + verb);
}

Config included_config() {
  Config config = load_config();
  std::vector<std::string> problems;
  include_services(config, Reach::here, problems);
  for (const auto& problem : problems) say("ros: " + problem);
  return config;
}

Services services_now() {
  std::vector<std::string> said_at_boot;
  return running_services(included_config(), said_at_boot);
}

// None while user Docker does not serve: its socket may be there all the same.
std::vector<Container> user_containers(const std::string& label = {}) {
  try {
    return Docker{kUserDocker}.list(true, label);
  } catch (const Error&) {
    return {};
  }
}

// Containers of services that the configuration has no more.
Services services_left(const Services& services) {
  Services left;
  for (const bool system : {true, false}) {
    for (const auto& container : system ? Docker{kSystemDocker}.list(true, kServiceLabel)
                                        : user_containers(kServiceLabel)) {
      Service service;
      service.name = container.labels.at(kServiceLabel);
      service.container = container.name;
      service.system = system;
      service.spec.image = container.image;
      if (std::ranges::count(services, service.name, &Service::name) == 0) left.push_back(service);
    }
  }
  return left;
}

enum class Left { ignored, found };

// The services of these names, in their order; all when there are none. Throws Error with a
// suggestion.
Services choose(const Arguments& names, const Services& services, Left left = Left::ignored) {
  if (names.empty()) return services;
  Services known = services;
  if (left == Left::found) {
    for (auto& service : services_left(services)) known.push_back(std::move(service));
  }
  std::vector<std::string> all;
  for (const auto& service : known) all.push_back(service.name);
  Services chosen;
  for (const auto& name : names) {
    if (std::ranges::count(all, name) > 0) continue;
    std::vector<std::string> ignored;
    const auto offered = Catalogue{load_config()}.names(ignored);
    if (std::ranges::count(offered, name) > 0)
      throw Error{fmt::format("service {} is not switched on", name), Error::Kind::usage}.hint(
          "ros service enable " + name);
    unknown_word("ros service", name, all);
  }
  std::ranges::copy_if(known, std::back_inserter(chosen), [&](const Service& service) {
    return std::ranges::count(names, service.name) > 0;
  });
  return chosen;
}

// --- which services there are -------------------------------------------------

int list(Arguments arguments) {
  const bool all = take_flag(arguments, "-a", "--all");
  const bool update = take_flag(arguments, "-u", "--update");
  expect_words(arguments, 0, 0, "ros service list");
  const Config config = load_config();
  std::vector<std::string> problems;
  const Catalogue catalogue{config};
  const Value* include = config.find("rancher.services_include");
  if (update) {
    std::vector<std::string> included;
    for (const auto& [name, value] : include ? include->members() : std::vector<Value::Member>{})
      if (value.as_bool().value_or(false)) included.push_back(name);
    catalogue.update(included, problems);
  }
  std::map<std::string, bool> on;
  for (const auto& name : catalogue.names(problems)) on[name] = false;
  std::vector<std::string> said_at_boot;
  for (const auto& service : services_of(config, said_at_boot))  // an agent that was found
    if (on.contains(service.name)) on[service.name] = true;
  const Value* own = config.find("rancher.services");
  for (const auto& member : own ? own->members() : std::vector<Value::Member>{})
    if (all) on[member.first] = true;
  for (const auto& [name, value] : include ? include->members() : std::vector<Value::Member>{})
    if (all || !own || !own->find(name) || on.contains(name))
      on[name] = value.as_bool().value_or(false);
  for (const auto& [name, enabled] : on)
    print(fmt::format("{:<9} {}\n", enabled ? "enabled" : "disabled", name));
  for (const auto& problem : problems) say("ros: " + problem);
  return problems.empty() ? 0 : 1;
}

// A file must be there at the next boot.
void check_kept(const std::string& name) {
  const std::string folder = fs::path{"/"}.append(kConfigFolder).string() + "/";
  if (name.starts_with('/') && !fs::path{name}.lexically_normal().string().starts_with(folder))
    throw Error{name + " may be gone after a reboot", Error::Kind::usage}.hint("keep it in " +
                                                                               folder);
}

void switch_services(const Arguments& names, bool on) {
  Value include = Value::map();
  for (const auto& name : names) include.set(name, Value::boolean(on));
  Value tree;
  tree.set_path("rancher.services_include", std::move(include));
  merge_user_config(tree);
}

Value include_map(const Arguments& names, Value map) {
  for (const auto& name : names) map.set(name, Value::boolean(true));
  return map;
}

// Everything is checked and fetched before anything is switched. `up` starts it, or the next boot.
int enable(const Arguments& names) {
  expect_names(names, "enable", 1);
  for (const auto& name : names) check_kept(name);
  Config config = included_config();
  std::vector<std::string> problems;
  const Services before = services_of(config, problems);
  problems.clear();
  const Value* found = config.find("rancher.services_include");
  const Value switched = found ? *found : Value::map();
  config.tree.set_path("rancher.services_include", include_map(names, Value::map()));
  include_services(config, Reach::missing, problems);
  Problems all;
  for (const auto& problem : problems) all.add(Error{problem, Error::Kind::input});
  all.throw_if_any();
  config.tree.set_path("rancher.services_include", include_map(names, switched));
  for (const auto& service : services_of(config, problems)) {
    if (std::ranges::count(before, service.name, &Service::name) > 0) continue;
    if (!service.system) wait_for_engine(kUserDocker);
    const Docker docker{service.engine()};
    if (!has_image(docker, service)) provide_image(service, {});
    // Not even when somebody else's change has the configuration read anew.
    const auto state = docker.inspect(service.container);
    if (!service.on_demand && (!state || !state->running)) Stopped{service.name}.keep();
  }
  switch_services(names, true);
  return 0;
}

// Something that can be switched: the configuration or a catalogue knows it.
void check_known(const Arguments& names) {
  const Config config = load_config();
  std::vector<std::string> problems;
  auto known = Catalogue{config}.names(problems);
  for (const char* key : {"rancher.services", "rancher.services_include"}) {
    const Value* value = config.find(key);
    for (const auto& member : value ? value->members() : std::vector<Value::Member>{})
      known.push_back(member.first);
  }
  for (const auto& name : names)
    if (std::ranges::count(known, name) == 0) unknown_word("ros service", name, known);
}

int disable(const Arguments& names) {
  expect_names(names, "disable", 1);
  check_known(names);
  switch_services(names, false);
  request_reload();
  return 0;
}

int forget(const Arguments& names) {
  expect_names(names, "delete", 1);
  check_known(names);
  change_user_config([&](Value& tree) {
    const Value* include = tree.find_path("rancher.services_include");
    if (!include) return;
    Value left = *include;  // names may have dots: no path leads to them
    std::erase_if(left.members(), [&](const Value::Member& member) {
      return std::ranges::count(names, member.first) > 0;
    });
    tree.set_path("rancher.services_include", std::move(left));
  });
  request_reload();
  return 0;
}

// --- what became of them ------------------------------------------------------

// One row of `ps`. A service that keeps ending is not what its container happens to be just now.
std::vector<std::string> row_of(const Service& service, const Container* container) {
  const std::string id = container ? container->id.substr(0, 12) : "-";
  std::string state = container ? container->state : "absent";
  std::string status = container ? container->status : "-";
  const auto failure = failure_of(service.name);
  if (fs::exists(fs::path{kStoppedFolder} / service.name)) {
    state = "stopped";
  } else if (failure && state == "running") {
    status += fmt::format(", after {} failure{}", failure->count, failure->count > 1 ? "s" : "");
  } else if (failure && service.schedule.empty()) {
    state = "backoff";
    status = fmt::format("{}: {} times in a row, again within {} s", failure->why, failure->count,
                         failure->pause);
  } else if (!service.schedule.empty() && state != "running") {
    state = "scheduled";
  }
  return {service.name, state, status, id, service.spec.image};
}

int ps(Arguments names) {
  const bool quiet = take_flag(names, "-q", "--quiet");
  expect_names(names, "ps", 0);
  const Services configured = services_now();
  Services services = choose(names, configured, Left::found);
  if (names.empty()) {
    for (auto& service : services_left(configured)) services.push_back(std::move(service));
  }
  const auto containers = Docker{kSystemDocker}.list(true);
  const bool users = std::ranges::count(services, false, &Service::system) > 0;
  const auto of_users = users ? user_containers() : std::vector<Container>{};
  std::vector<std::vector<std::string>> rows{{"NAME", "STATE", "STATUS", "CONTAINER", "IMAGE"}};
  for (const auto& service : services) {
    const auto& all = service.system ? containers : of_users;
    const auto found = std::ranges::find(all, service.container, &Container::name);
    const Container* container = found == all.end() ? nullptr : &*found;
    if (!quiet) {
      rows.push_back(row_of(service, container));
    } else if (container) {
      print(container->id + "\n");
    }
  }
  if (!quiet) print_table(rows);
  return 0;
}

void show_log(const Service& service, bool follow, int lines) {
  Docker{service.engine()}.logs(service.container, follow, lines,
                                [](int stream, std::string_view bytes) {
                                  write_all(stream == 2 ? STDERR_FILENO : STDOUT_FILENO, bytes);
                                });
}

// Of several, one after the other, or all at once when there is no end to wait for.
void show_logs(const Services& services, bool follow, int lines) {
  if (services.size() == 1) return show_log(services[0], follow, lines);
  std::vector<std::thread> threads;
  for (const auto& service : services) {
    const auto show = [&service, follow, lines] {
      try {
        if (!follow) print(fmt::format("==> {} <==\n", service.name));
        std::fflush(stdout);
        show_log(service, follow, lines);
      } catch (const Error& error) {
        say(std::string{"ros: "} + error.what());
      }
    };
    follow ? (void)threads.emplace_back(show) : show();
  }
  for (auto& thread : threads) thread.join();
}

// --- changing what they do ----------------------------------------------------

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

int up(const std::string& verb, Arguments names) {
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

int restart(Arguments names) {
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

int stop(const std::string& verb, Arguments names) {
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
int kill(Arguments names) {
  const std::string given = take_option(names, "-s", "--signal");
  expect_names(names, "kill", 1);
  for (const auto& service : choose(names, services_now(), Left::found))
    Docker{service.engine()}.kill(service.container, given.empty() ? "SIGKILL" : given);
  return 0;
}

int pull(Arguments names) {
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

int build(Arguments names) {
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

int dispatch(const std::string& verb, const Arguments& rest) {
  if (verb == "list") return list(rest);
  if (verb == "enable") return enable(rest);
  if (verb == "disable") return disable(rest);
  if (verb == "delete") return forget(rest);
  if (verb == "ps") return ps(rest);
  if (verb == "logs") return service_logs(rest);
  if (verb == "up" || verb == "start" || verb == "create") return up(verb, rest);
  if (verb == "restart") return restart(rest);
  if (verb == "stop" || verb == "rm" || verb == "down") return stop(verb, rest);
  if (verb == "kill") return kill(rest);
  if (verb == "pull") return pull(rest);
  return build(rest);
}

}  // namespace

int service_logs(Arguments names) {
  const int lines = take_number(names, "", "--lines", take_number(names, "-n", "--tail", 100));
  const bool follow = take_flag(names, "-f", "--follow");
  expect_names(names, "logs", 1);
  show_logs(choose(names, services_now(), Left::found), follow, lines);
  return 0;
}

int service_verb(const Arguments& arguments) {
  if (arguments.empty() || std::ranges::count(arguments, "--help") > 0 ||
      std::ranges::count(arguments, "-h") > 0) {
    print(kHelp);
    return arguments.empty() ? 2 : 0;
  }
  const std::vector<std::string> verbs{"list", "enable", "disable", "delete",  "ps",   "logs",
                                       "up",   "start",  "stop",    "restart", "kill", "down",
                                       "rm",   "create", "pull",    "build"};
  const std::string& verb = arguments[0];
  if (std::ranges::count(verbs, verb) == 0) unknown_word("ros service", verb, verbs);
  require_root();
  return dispatch(verb, {arguments.begin() + 1, arguments.end()});
}

}  // namespace ros
