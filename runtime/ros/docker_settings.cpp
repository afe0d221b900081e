#include "runtime/ros/docker_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/engine/docker.h"
#include "runtime/ros/tls.h"

namespace ros {
namespace {

using nlohmann::json;

constexpr const char* kTlsHost = "tcp://0.0.0.0:2376";

// Where a key goes: a member of daemon.json of this form, or elsewhere (user_docker.cpp).
enum class Form { text, list, flag, number, map, elsewhere };

struct Setting {
  const char* key;
  Form form;
  const char* name;             // of the member
  const char* not_user = "";    // why user Docker does not heed it; empty when it does
  const char* not_system = "";  // the same for system Docker
};

constexpr const char* kNoNetwork = "system services use the host's network";
constexpr const char* kFixed = "init decides it for system Docker";
constexpr const char* kNoMeaning = "it has no meaning in this system";
constexpr const char* kDropped = "Docker has dropped it; each container has a restart policy";

constexpr Setting kSettings[] = {
    {"bip", Form::text, "bip", "", kNoNetwork},
    {"bridge", Form::text, "bridge", "", kNoNetwork},
    {"config_file", Form::elsewhere, ""},
    {"containerd", Form::elsewhere, "", "", kFixed},
    {"data_root", Form::elsewhere, "", "", kFixed},
    {"debug", Form::flag, "debug"},
    {"exec", Form::elsewhere, "", kNoMeaning, kNoMeaning},
    {"exec_root", Form::elsewhere, "", "", kFixed},
    {"graph", Form::elsewhere, "", "", kFixed},
    {"group", Form::text, "group", "", kFixed},
    {"host", Form::list, "hosts", "", kFixed},
    {"insecure_registry", Form::list, "insecure-registries"},
    {"live_restore", Form::elsewhere, "", "", kFixed},
    {"log_driver", Form::text, "log-driver"},
    {"log_opts", Form::map, "log-opts"},
    {"mtu", Form::number, "mtu", "", kNoNetwork},
    {"pid_file", Form::elsewhere, "", "", kFixed},
    {"registry_mirror", Form::list, "registry-mirrors"},
    {"restart", Form::elsewhere, "", kDropped, kDropped},
    {"selinux_enabled", Form::flag, "selinux-enabled"},
    {"storage_context", Form::elsewhere, "", kNoMeaning, kNoMeaning},
    {"storage_driver", Form::text, "storage-driver", "", kFixed},
    {"userland_proxy", Form::flag, "userland-proxy", "", kNoNetwork},
};

const char* prefix_of(Dockerd which) {
  return which == Dockerd::user ? "rancher.docker." : "rancher.system_docker.";
}

const char* why_not(const Setting& setting, Dockerd which) {
  return which == Dockerd::user ? setting.not_user : setting.not_system;
}

void put(json& target, const Setting& setting, const Value& value) {
  json& member = target[setting.name];
  switch (setting.form) {
    case Form::text:
      member = value.text();
      break;
    case Form::list:
      member = value.as_texts();
      break;
    case Form::flag:
      member = value.as_bool().value_or(false);
      break;
    case Form::number:
      member = value.as_int().value_or(0);
      break;
    case Form::map:
      if (!member.is_object()) member = json::object();
      for (const auto& [key, option] : as_pairs(value)) member[key] = option;
      break;
    case Form::elsewhere:
      break;
  }
}

bool says_something(const Value& value) {
  return !(value.is_null() || (value.is_scalar() && value.text().empty()) ||
           (value.is_list() && value.items().empty()) ||
           (value.is_map() && value.members().empty()));
}

void put_tls(json& target) {
  const std::string folder = kServerTls;
  target["tlsverify"] = true;
  target["tlscacert"] = folder + "/ca.pem";
  target["tlscert"] = folder + "/server-cert.pem";
  target["tlskey"] = folder + "/server-key.pem";
  auto& hosts = target["hosts"];
  if (!hosts.is_array()) hosts = json::array();
  if (std::ranges::find(hosts, json(kTlsHost)) == hosts.end()) hosts.push_back(kTlsHost);
}

// The member of daemon.json that an argument sets; most have the flag's name, lists its plural.
std::vector<std::string> members_of(std::string_view argument) {
  static const std::map<std::string_view, std::string_view> brief{
      {"-D", "debug"},  {"-G", "group"},     {"-H", "hosts"},
      {"-b", "bridge"}, {"-l", "log-level"}, {"-s", "storage-driver"}};
  if (const auto found = brief.find(argument.substr(0, 2)); found != brief.end())
    return {std::string{found->second}};
  if (!argument.starts_with("--")) return {};
  const std::string flag{argument.substr(2, argument.find('=') - 2)};
  if (flag == "insecure-registry") return {"insecure-registries"};
  return {flag, flag + "s"};
}

}  // namespace

json daemon_json(const Config& config, Dockerd which, std::string_view own) {
  json result = json::parse(own, nullptr, false);
  if (!result.is_object()) result = json::object();
  for (const Setting& setting : kSettings) {
    const Value* value = config.find(std::string{prefix_of(which)} + setting.key);
    if (!value || setting.form == Form::elsewhere || *why_not(setting, which) != '\0') continue;
    if (says_something(*value)) put(result, setting, *value);
  }
  if (which == Dockerd::user && has_tls(config) && tls_arguments(config).empty()) put_tls(result);
  for (const auto& argument : daemon_arguments(config, which)) {
    for (const auto& member : members_of(argument)) result.erase(member);
  }
  return result;
}

std::vector<std::string> daemon_arguments(const Config& config, Dockerd which) {
  auto arguments = config.texts(std::string{prefix_of(which)} + "extra_args");
  if (which == Dockerd::user) {
    const auto tls = tls_arguments(config);
    arguments.insert(arguments.end(), tls.begin(), tls.end());
  }
  return arguments;
}

std::vector<std::string> daemon_environment(const Config& config, Dockerd which) {
  std::vector<std::string> environment{kEngineGarbage};
  for (const char* name :
       {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}) {
    const auto value = config.text(std::string{"rancher.environment."} + name);
    if (!value.empty()) environment.push_back(fmt::format("{}={}", name, value));
  }
  for (const auto& [name, value] : config.pairs(std::string{prefix_of(which)} + "environment"))
    environment.push_back(name + "=" + value);
  return environment;
}

std::string daemon_settings(const Config& config, Dockerd which) {
  const std::string prefix = prefix_of(which);
  const Value* section = config.find(prefix.substr(0, prefix.size() - 1));
  return (section ? to_yaml(*section) : "") + join(daemon_environment(config, which), "\n");
}

std::vector<std::string> settings_without_effect(const Config& config) {
  std::vector<std::string> lines;
  for (const Dockerd which : {Dockerd::user, Dockerd::system}) {
    for (const Setting& setting : kSettings) {
      const std::string key = std::string{prefix_of(which)} + setting.key;
      const Value* value = config.find(key);
      const char* reason = why_not(setting, which);
      if (!value || *reason == '\0' || !says_something(*value)) continue;
      lines.emplace_back(
          Error{fmt::format("{} has no effect: {}", key, reason)}.at(value->position()).what());
    }
  }
  for (const char* key :
       {"rancher.bootstrap", "rancher.bootstrap_docker", "rancher.cloud_init_services",
        "rancher.defaults.docker", "rancher.defaults.network",
        "rancher.defaults.system_docker_logs", "rancher.log", "rancher.restart_services"}) {
    const Value* value = config.find(key);
    // rancher.debug sets the second one.
    if (!value || !says_something(*value) ||
        (key == std::string_view{"rancher.log"} && config.flag("rancher.debug")))
      continue;
    lines.emplace_back(Error{fmt::format("{} has no effect", key)}.at(value->position()).what());
  }
  if (const Value* state = config.find("rancher.state"))
    for (const auto& [name, value] : state->members())
      if (is_of_users(value) && says_something(value))
        lines.emplace_back(
            Error{fmt::format("rancher.state.{} has no effect here: this file lies on "
                              "the state, which it should find",
                              name)}
                .at(value.position())
                .hint("say it on the kernel's command line (ros os append), or on the "
                      "partition RANCHER_OEM")
                .what());
  return lines;
}

}  // namespace ros
