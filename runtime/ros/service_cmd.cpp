// `ros service`: the system services, which are containers of system Docker, and those of user
// Docker that the configuration has.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/ros/catalogue.h"
#include "runtime/ros/containers.h"
#include "runtime/ros/options.h"
#include "runtime/ros/service_verbs.h"
#include "runtime/ros/supervisor.h"
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

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

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

int dispatch(const std::string& verb, const Arguments& rest) {
  if (verb == "list") return list(rest);
  if (verb == "enable") return enable(rest);
  if (verb == "disable") return disable(rest);
  if (verb == "delete") return forget(rest);
  if (verb == "ps") return ps(rest);
  if (verb == "logs") return service_logs(rest);
  if (verb == "up" || verb == "start" || verb == "create") return service_up(verb, rest);
  if (verb == "restart") return service_restart(rest);
  if (verb == "stop" || verb == "rm" || verb == "down") return service_stop(verb, rest);
  if (verb == "kill") return service_kill(rest);
  if (verb == "pull") return service_pull(rest);
  return service_build(rest);
}

}  // namespace

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
