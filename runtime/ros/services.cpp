#include "runtime/ros/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/cron.h"
#include "runtime/ros/hypervisor.h"
#include "runtime/ros/mounts.h"

namespace ros {
namespace {

constexpr const char* kUserDockerService = "docker";

std::size_t end_of_name(std::string_view text, std::size_t begin) {
  const auto letter = [&](std::size_t i) {
    return std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '_';
  };
  std::size_t end = begin;
  if (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) return begin;
  while (end < text.size() && letter(end)) ++end;
  return end;
}

// The inside of a ${…}: NAME, NAME-DEFAULT when it is not set, NAME:-DEFAULT when it is empty, too.
std::string variable(std::string_view inside, const Config& config, const Value& where) {
  const auto end = end_of_name(inside, 0);
  const std::string_view rest = inside.substr(end);
  const bool if_empty = rest.starts_with(":-");
  if (end == 0 || !(rest.empty() || if_empty || rest.starts_with('-')) ||
      rest.find("${") != rest.npos)
    throw Error{fmt::format("${{{}}} is not understood", inside), Error::Kind::input}
        .at(where.position())
        .hint("${NAME}, ${NAME:-DEFAULT}, ${NAME-DEFAULT}, or $$ for a dollar sign");
  const std::string key = "rancher.environment." + std::string{inside.substr(0, end)};
  const std::string value = config.text(key);
  const Value* found = config.find(key);
  const bool set = if_empty ? !value.empty() : found && !found->is_null();
  return set || rest.empty() ? value : std::string{rest.substr(if_empty ? 2 : 1)};
}

// ${…} and $NAME of a definition stand for rancher.environment's values, as in Compose; $$ is a
// dollar sign, and so is one before anything else. Throws Error with the place of `where`.
std::string expand(std::string_view text, const Config& config, const Value& where) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view next = text.substr(i + 1);
    if (text[i] != '$') {
      result += text[i++];
    } else if (next.starts_with('{')) {
      const auto end = text.find('}', i);
      if (end == text.npos)
        throw Error{fmt::format("{} has no }}", text.substr(i)), Error::Kind::input}
            .at(where.position())
            .hint("$$ is a dollar sign");
      result += variable(text.substr(i + 2, end - i - 2), config, where);
      i = end + 1;
    } else if (const auto end = end_of_name(text, i + 1); end > i + 1) {
      result += variable(text.substr(i + 1, end - i - 1), config, where);
      i = end;
    } else {
      result += '$';
      i += next.starts_with('$') ? 2 : 1;
    }
  }
  return result;
}

std::int64_t bytes_of(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{}) return 0;
  switch (end == text.data() + text.size() ? 'b' : std::tolower(static_cast<unsigned char>(*end))) {
    case 'k':
      return number << 10;
    case 'm':
      return number << 20;
    case 'g':
      return number << 30;
    default:
      return number;
  }
}

// A name alone is filled from rancher.environment, or left out when it has none; NAME* is every
// one that begins so.
void add_variable(ContainerSpec& spec, const std::string& name, const Config& config) {
  const bool many = name.ends_with('*');
  for (const auto& [key, value] : config.pairs("rancher.environment")) {
    if (many ? key.starts_with(name.substr(0, name.size() - 1)) : key == name)
      spec.environment.emplace_back(key, value);
  }
}

void add_variables(ContainerSpec& spec, const Value& variables, const Config& config) {
  for (const auto& [name, value] : variables.members()) {
    if (value.is_null()) {
      add_variable(spec, name, config);
    } else {
      spec.environment.emplace_back(name, expand(value.text(), config, value));
    }
  }
  for (const auto& item : variables.items()) {
    const std::string& text = item.text();
    const auto equals = text.find('=');
    if (equals == text.npos) {
      add_variable(spec, text, config);
    } else {
      spec.environment.emplace_back(text.substr(0, equals),
                                    expand(text.substr(equals + 1), config, item));
    }
  }
}

// What lies in a folder that the container shares is there already.
void add_mounts(ContainerSpec& spec, const Config& config) {
  std::vector<std::string> said_elsewhere;
  for (const auto& entry : mounts_of(config, said_elsewhere)) {
    const bool shared = std::ranges::any_of(spec.binds, [&](const std::string& bind) {
      const auto parts = split(bind, ':');
      return parts.size() > 1 && (entry.folder + "/").starts_with(parts[1] + "/");
    });
    if (!entry.swap() && !shared)
      spec.binds.push_back(entry.folder + ":" + entry.folder + ":rshared");
  }
}

// Relative to the file that says it.
std::string absolute(const std::string& folder, const Value& where) {
  const fs::path path{folder};
  return path.is_absolute()
             ? folder
             : (fs::path{where.position().file}.parent_path() / path).lexically_normal().string();
}

Build build_of(const Value& value, const Config& config, std::vector<std::string>& problems) {
  std::vector<Error> errors;
  Build build = read_build(value, errors);
  for (const auto& error : errors) problems.emplace_back(error.what());
  if (!build.wanted()) return build;
  build.context = absolute(expand(build.context, config, value), value);
  for (auto& [name, argument] : build.arguments) argument = expand(argument, config, value);
  for (const char* proxy : {"http_proxy", "https_proxy", "no_proxy"}) {
    const std::string set = config.text(std::string{"rancher.environment."} + proxy);
    if (!set.empty()) build.arguments.emplace_back(proxy, set);
  }
  return build;
}

void read_labels(Service& service, std::vector<std::string>& problems) {
  const auto label = [&](const char* key) {
    const auto found = service.spec.labels.find(key);
    return found == service.spec.labels.end() ? std::string{} : found->second;
  };
  service.system = label("io.rancher.os.scope") == "system";
  service.wait_for_end = label("io.rancher.os.detach") == "false";
  service.create_only = label("io.rancher.os.createonly") == "true";
  service.on_demand = label("io.rancher.os.ondemand") == "true";
  service.reload_config = label("io.rancher.os.reloadconfig") == "true";
  service.rebuild = label("io.docker.compose.rebuild") == "always";
  for (const auto& other : split(label("io.rancher.os.after"), ',')) {
    if (!trim(other).empty()) service.after.emplace_back(trim(other));
  }
  const std::string schedule = label("cron.schedule");
  if (schedule.empty()) return;
  try {
    Schedule::parse(schedule);
    service.schedule = schedule;
  } catch (const Error& error) {
    problems.push_back(fmt::format("service {}: {}", service.name, error.what()));
  }
}

// "on-failure:N" restarts N times at most. The supervisor keeps the policy of a system service,
// user Docker that of another one.
void read_restart(Service& service, const Value& value, const std::string& text) {
  const auto colon = std::min(text.find(':'), text.size());
  const std::string policy = text.substr(0, colon);
  int& most = service.spec.most_restarts;
  const char* last = text.data() + text.size();
  if (colon < text.size() &&
      (policy != "on-failure" || std::from_chars(text.data() + colon + 1, last, most).ptr != last ||
       most < 1))
    throw Error{fmt::format("service {}: restart: {} is not understood", service.name, text),
                Error::Kind::input}
        .at(value.position())
        .hint("no, always, unless-stopped, on-failure or on-failure:N");
  service.restart = service.system && (policy == "always" || policy == "unless-stopped");
  service.restart_if_failed = service.system && policy == "on-failure";
  if (!service.system && !policy.empty()) service.spec.restart = policy;
}

Service read_service(const std::string& name, const Value& value, const Config& config,
                     std::vector<std::string>& problems) {
  Service service;
  service.name = name;
  const auto text = [&](const char* key) {
    const Value* member = value.find(key);
    return member ? expand(member->text(), config, *member) : std::string{};
  };
  const auto texts = [&](const char* key) {
    const Value* member = value.find(key);
    auto list = member ? member->as_texts() : std::vector<std::string>{};
    for (auto& item : list) item = expand(item, config, *member);
    return list;
  };
  // A command in one text is cut as a shell would, as Compose does.
  const auto command = [&](const char* key) {
    const Value* member = value.find(key);
    if (!member || !member->is_scalar()) return texts(key);
    try {
      return shell_words(expand(member->text(), config, *member));
    } catch (const Error& error) {
      throw Error{fmt::format("service {}: {}: {}", name, key, error.what())}.at(
          member->position());
    }
  };
  const auto flag = [&](const char* key) {
    const Value* member = value.find(key);
    return member && member->as_bool().value_or(false);
  };
  service.container = text("container_name");
  if (service.container.empty()) service.container = name;

  ContainerSpec& spec = service.spec;
  spec.image = text("image");
  if (spec.image.empty()) spec.image = kSystemImage;
  spec.entrypoint = command("entrypoint");
  spec.command = command("command");
  spec.binds = texts("volumes");
  spec.volumes_from = texts("volumes_from");
  spec.tmpfs = texts("tmpfs");
  spec.cap_add = texts("cap_add");
  spec.cap_drop = texts("cap_drop");
  spec.security_opt = texts("security_opt");
  spec.devices = texts("devices");
  spec.dns = texts("dns");
  spec.extra_hosts = texts("extra_hosts");
  spec.ports = texts("ports");
  spec.log_driver = text("log_driver");
  spec.hostname = text("hostname");
  spec.user = text("user");
  spec.working_dir = text("working_dir");
  spec.stop_signal = text("stop_signal");
  spec.network = text("net");
  if (spec.network.empty()) spec.network = text("network_mode");
  spec.pid = text("pid");
  spec.ipc = text("ipc");
  spec.uts = text("uts");
  spec.cgroupns = text("cgroupns");
  spec.privileged = flag("privileged");
  spec.read_only = flag("read_only");
  spec.tty = flag("tty");
  spec.stdin_open = flag("stdin_open");
  spec.memory = bytes_of(text("mem_limit"));
  if (const Value* score = value.find("oom_score_adj")) {
    if (const auto number = score->as_int()) spec.oom_score_adj = static_cast<int>(*number);
  }
  if (const Value* options = value.find("log_opt")) {
    for (auto& [key, option] : as_pairs(*options)) spec.log_opts[key] = option;
  }
  if (const Value* variables = value.find("environment")) add_variables(spec, *variables, config);
  if (const Value* labels = value.find("labels")) {
    for (auto& [key, label] : as_pairs(*labels)) spec.labels[key] = label;
  }
  read_labels(service, problems);
  if (const Value* build = value.find("build")) {
    service.build = build_of(*build, config, problems);
    if (text("image").empty()) spec.image = "ros/" + name;
  }
  for (auto& other : texts("depends_on")) service.after.push_back(std::move(other));
  for (const auto& source : spec.volumes_from) service.after.push_back(split(source, ':')[0]);
  if (!service.system) service.after.push_back("docker");
  // User Docker's does not depend on the others.
  if (service.system && name != kUserDockerService) spec.annotations[kShimGroup] = "rancheros";
  if (const Value* policy = value.find("restart")) read_restart(service, *policy, text("restart"));
  service.chosen = chosen_image(config, name);
  if (name == "console") {  // it writes its own
    service.rebuild |= config.flag("rancher.force_console_rebuild");
    add_mounts(spec, config);
  } else if (const Value* files = config.find("write_files")) {
    service.files = Value::list();
    std::ranges::copy_if(files->items(), std::back_inserter(service.files.items()),
                         [&](const Value& entry) {
                           const Value* where = entry.find("container");
                           return where && where->text() == name;
                         });
  }
  return service;
}

// Those on demand that nobody names, nor one that somebody names.
void drop_unneeded(std::vector<Service>& services) {
  std::vector<std::string> ahead;
  for (const auto& service : services) {
    if (!service.on_demand) ahead.insert(ahead.end(), service.after.begin(), service.after.end());
  }
  std::set<std::string> needed;
  while (!ahead.empty()) {
    const std::string name = std::move(ahead.back());
    ahead.pop_back();
    const auto found = std::ranges::find(services, name, &Service::name);
    if (found == services.end() || !needed.insert(name).second) continue;
    ahead.insert(ahead.end(), found->after.begin(), found->after.end());
  }
  std::erase_if(services, [&](const Service& service) {
    return service.on_demand && !needed.contains(service.name);
  });
}

// An agent that is in the image runs where its hypervisor is, unless the configuration says
// otherwise.
bool is_on(const std::string& name, const Value& definition, const Config& config,
           const fs::path& root) {
  const Value* include = config.find("rancher.services_include");
  const Value* said = include ? include->find(name) : nullptr;  // a name may have dots
  const Agent* agent = find_agent(name);
  // One with an image of its own comes out of a catalogue.
  if (said || !agent || definition.find("image")) return !said || said->as_bool().value_or(true);
  return config.flag("rancher.hypervisor_service", true) && is_wanted(*agent, root);
}

}  // namespace

std::string chosen_image(const Config& config, const std::string& service) {
  for (const Choice& choice : {kConsole, kEngine}) {
    if (service != choice.service) continue;
    const std::string name = config.text(choice.key);
    return name == choice.own ? std::string{} : name;
  }
  return {};
}

std::vector<Service> services_of(const Config& config, std::vector<std::string>& problems,
                                 const fs::path& root) {
  std::vector<Service> unsorted;
  const Value* table = config.find("rancher.services");
  if (!table) return unsorted;
  for (const auto& [name, value] : table->members()) {
    if (!is_service_name(name)) {
      problems.emplace_back(
          Error{quote(name) + " is no name for a service"}.at(value.position()).what());
      continue;
    }
    if (!value.is_map() || !is_on(name, value, config, root)) continue;
    try {
      unsorted.push_back(read_service(name, value, config, problems));
    } catch (const Error& error) {
      problems.emplace_back(error.what());
    }
  }
  for (const auto& service : unsorted) {
    const auto before = service.spec.labels.find("io.rancher.os.before");
    if (before == service.spec.labels.end()) continue;
    for (const auto& name : split(before->second, ',')) {
      for (auto& other : unsorted) {
        if (other.name == trim(name)) other.after.push_back(service.name);
      }
    }
  }
  drop_unneeded(unsorted);
  std::set<std::string> known, placed;
  for (const auto& service : unsorted) known.insert(service.name);
  for (auto& service : unsorted) {
    std::erase_if(service.after, [&](const std::string& name) { return !known.contains(name); });
  }
  std::vector<Service> sorted;
  while (!unsorted.empty()) {
    auto next = std::find_if(unsorted.begin(), unsorted.end(), [&](const Service& service) {
      return std::all_of(service.after.begin(), service.after.end(),
                         [&](const std::string& name) { return placed.contains(name); });
    });
    if (next == unsorted.end()) {
      next = unsorted.begin();
      problems.push_back(fmt::format("the order of services has a cycle through {} (after {})",
                                     next->name, join(next->after, ", ")));
      std::erase_if(next->after, [&](const std::string& name) { return !placed.contains(name); });
    }
    placed.insert(next->name);
    sorted.push_back(std::move(*next));
    unsorted.erase(next);
  }
  return sorted;
}

}  // namespace ros
