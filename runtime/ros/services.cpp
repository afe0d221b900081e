#include "runtime/ros/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/mounts.h"
#include "runtime/ros/process.h"
#include "runtime/ros/settings.h"

namespace ros {
namespace {

// ${NAME} and $NAME of a definition stand for rancher.environment's values.
std::string expand(const std::string& text, const Config& config) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      result += text[i];
      continue;
    }
    if (text[i + 1] == '$') {  // "$$" is a dollar sign
      result += '$';
      ++i;
      continue;
    }
    const bool braces = text[i + 1] == '{';
    std::size_t end = i + (braces ? 2 : 1);
    const std::size_t begin = end;
    while (end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) {
      ++end;
    }
    result += config.text("rancher.environment." + text.substr(begin, end - begin));
    i = braces && end < text.size() ? end : end - 1;
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
      spec.environment.emplace_back(name, expand(value.text(), config));
    }
  }
  for (const auto& item : variables.items()) {
    const std::string& text = item.text();
    const auto equals = text.find('=');
    if (equals == text.npos) {
      add_variable(spec, text, config);
    } else {
      spec.environment.emplace_back(text.substr(0, equals),
                                    expand(text.substr(equals + 1), config));
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

Service read_service(const std::string& name, const Value& value, const Config& config) {
  Service service;
  service.name = name;
  const auto text = [&](const char* key) {
    const Value* member = value.find(key);
    return member ? expand(member->text(), config) : std::string{};
  };
  const auto texts = [&](const char* key) {
    const Value* member = value.find(key);
    auto list = member ? member->as_texts() : std::vector<std::string>{};
    for (auto& item : list) item = expand(item, config);
    return list;
  };
  // A command in one text is cut at blanks, as Compose does.
  const auto command = [&](const char* key) {
    const Value* member = value.find(key);
    return member && member->is_scalar() ? words(expand(member->text(), config)) : texts(key);
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
  const auto label = [&](const char* key) {
    const auto found = spec.labels.find(key);
    return found == spec.labels.end() ? std::string{} : found->second;
  };
  service.system = label("io.rancher.os.scope") == "system";
  service.wait_for_end = label("io.rancher.os.detach") == "false";
  service.create_only = label("io.rancher.os.createonly") == "true";
  service.rebuild = label("io.docker.compose.rebuild") == "always";
  for (const auto& other : split(label("io.rancher.os.after"), ',')) {
    if (!trim(other).empty()) service.after.emplace_back(trim(other));
  }
  for (const auto& source : spec.volumes_from) service.after.push_back(split(source, ':')[0]);
  if (!service.system) service.after.push_back("docker");
  const std::string policy = text("restart");
  service.restart = service.system && policy == "always";
  if (!service.system && !policy.empty()) spec.restart = policy;
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

// Through the engine, whatever the image is: a tar with nothing but the files, so that folders
// that are there keep their owners and modes.
void put_files(const Docker& docker, const std::string& id, const Service& service) {
  const TempDir staging{"/run/ros"};
  Config config;
  config.tree.set("write_files", service.files);
  std::vector<std::string> problems;
  write_files(config, service.name, problems, staging.path());
  std::vector<std::string> argv{"tar", "-C", staging.path().string(), "-cf", "-"};
  const std::size_t bare = argv.size();
  for (fs::recursive_directory_iterator it{staging.path()}, end; it != end; ++it) {
    if (fs::is_regular_file(it->path()))
      argv.push_back(fs::relative(it->path(), staging.path()).string());
  }
  try {
    if (argv.size() > bare) docker.put_archive(id, capture(argv));
  } catch (const std::exception& error) {
    problems.push_back(fmt::format("write_files of service {}: {}", service.name, error.what()));
  }
  for (const auto& problem : problems) announce_error(problem);
}

}  // namespace

std::vector<Service> services_of(const Config& config, std::vector<std::string>& problems) {
  std::vector<Service> unsorted;
  const Value* table = config.find("rancher.services");
  if (!table) return unsorted;
  for (const auto& [name, value] : table->members()) {
    if (!value.is_map() || !config.flag("rancher.services_include." + name, true)) continue;
    unsorted.push_back(read_service(name, value, config));
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

std::string ensure_container(const Docker& docker, Service service) {
  const std::string image = docker.image_id(service.spec.image);
  const std::string hash = sha256(create_body(service.spec) + image);
  service.spec.labels[kHashLabel] = hash;
  service.spec.labels["io.rancher.os.service"] = service.name;
  const auto containers = docker.list(true);
  const auto old = std::ranges::find(containers, service.container, &Container::name);
  std::string id;
  if (old != containers.end()) {
    const auto found = old->labels.find(kHashLabel);
    if (old->running()) return old->id;
    const bool same = found != old->labels.end() && found->second == hash;
    if (service.persistent || (same && !service.rebuild)) {
      id = old->id;
    } else {
      docker.remove(old->id);
    }
  }
  if (id.empty()) id = docker.create(service.container, service.spec);
  if (!service.files.items().empty()) put_files(docker, id, service);
  return id;
}

}  // namespace ros
