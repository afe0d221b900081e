#include "runtime/ros/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

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
  if (const Value* variables = value.find("environment")) {
    for (auto& [key, variable] : as_pairs(*variables)) {
      // A bare name passes the value of rancher.environment on.
      const auto* given = variable.empty() ? config.find("rancher.environment." + key) : nullptr;
      spec.environment.emplace_back(key, given ? given->text() : expand(variable, config));
    }
  }
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
  return service;
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
  for (const auto& container : docker.list(true)) {
    if (container.name != service.container) continue;
    const auto found = container.labels.find(kHashLabel);
    const bool same = found != container.labels.end() && found->second == hash;
    if (container.running() || (same && !service.rebuild)) return container.id;
    docker.remove(container.id);
  }
  return docker.create(service.container, service.spec);
}

}  // namespace ros
