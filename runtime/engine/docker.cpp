#include "runtime/engine/docker.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

using Json = nlohmann::json;

// API 1.44 is what Docker 25 and later speak; 26 is the oldest that is shipped.
constexpr const char* kApi = "/v1.44";
// The log of a container with a terminal, which has one output and no frames.
constexpr const char* kRawStream = "application/vnd.docker.raw-stream";

Json parse(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) throw Error{"the engine answered something that is no JSON"};
  return json;
}

// A member as text, "" when it is not there or of another type.
std::string text_of(const Json& json, const char* name) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

// A member that is an object; anything else counts as an empty one.
Json object_of(const Json& json, const char* name) {
  if (!json.is_object() || !json.contains(name) || !json[name].is_object()) return Json::object();
  return json[name];
}

template <class Number>
Number number_of(const Json& json, const char* name, Number otherwise) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found != json.end() && found->is_number() ? found->get<Number>() : otherwise;
}

std::map<std::string, std::string> map_of(const Json& json, const char* name) {
  std::map<std::string, std::string> result;
  if (!json.is_object() || !json.contains(name) || !json[name].is_object()) return result;
  for (const auto& [key, value] : json[name].items()) {
    if (value.is_string()) result[key] = value.get<std::string>();
  }
  return result;
}

Json ports_of(const std::vector<std::string>& ports, Json& exposed) {
  Json bindings = Json::object();
  for (const auto& port : ports) {  // [[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]
    auto parts = split(port, ':');
    std::string container = parts.back();
    if (container.find('/') == std::string::npos) container += "/tcp";
    Json binding = {{"HostPort", parts.size() > 1 ? parts[parts.size() - 2] : ""}};
    if (parts.size() > 2) binding["HostIp"] = parts[parts.size() - 3];
    bindings[container].push_back(binding);
    exposed[container] = Json::object();
  }
  return bindings;
}

Json devices_of(const std::vector<std::string>& devices) {
  Json list = Json::array();
  for (const auto& device : devices) {
    const auto parts = split(device, ':');
    list.push_back({{"PathOnHost", parts[0]},
                    {"PathInContainer", parts.size() > 1 ? parts[1] : parts[0]},
                    {"CgroupPermissions", parts.size() > 2 ? parts[2] : "rwm"}});
  }
  return list;
}

}  // namespace

std::string create_body(const ContainerSpec& spec) {
  Json host = {{"Privileged", spec.privileged},
               {"ReadonlyRootfs", spec.read_only},
               {"RestartPolicy", {{"Name", spec.restart}}}};
  if (spec.restart == "on-failure" && spec.most_restarts > 0)
    host["RestartPolicy"]["MaximumRetryCount"] = spec.most_restarts;
  const auto put_text = [](Json& json, const char* name, const std::string& text) {
    if (!text.empty()) json[name] = text;
  };
  const auto put_list = [](Json& json, const char* name, const std::vector<std::string>& list) {
    if (!list.empty()) json[name] = list;
  };
  put_text(host, "NetworkMode", spec.network);
  put_text(host, "PidMode", spec.pid);
  put_text(host, "IpcMode", spec.ipc);
  put_text(host, "UTSMode", spec.uts);
  put_text(host, "CgroupnsMode", spec.cgroupns);
  put_list(host, "Binds", spec.binds);
  put_list(host, "VolumesFrom", spec.volumes_from);
  put_list(host, "CapAdd", spec.cap_add);
  put_list(host, "CapDrop", spec.cap_drop);
  put_list(host, "SecurityOpt", spec.security_opt);
  put_list(host, "Dns", spec.dns);
  put_list(host, "ExtraHosts", spec.extra_hosts);
  if (!spec.devices.empty()) host["Devices"] = devices_of(spec.devices);
  if (!spec.annotations.empty()) host["Annotations"] = spec.annotations;
  if (spec.oom_score_adj) host["OomScoreAdj"] = *spec.oom_score_adj;
  if (spec.memory > 0) host["Memory"] = spec.memory;
  for (const auto& folder : spec.tmpfs) {
    const auto colon = folder.find(':');
    host["Tmpfs"][folder.substr(0, colon)] =
        colon == std::string::npos ? "" : folder.substr(colon + 1);
  }
  if (!spec.log_driver.empty() || !spec.log_opts.empty()) {  // no Type: the daemon's default
    host["LogConfig"] = {{"Type", spec.log_driver}, {"Config", Json::object()}};
    for (const auto& [key, value] : spec.log_opts) host["LogConfig"]["Config"][key] = value;
  }
  Json body = {{"Image", spec.image}, {"Tty", spec.tty}, {"OpenStdin", spec.stdin_open}};
  put_list(body, "Entrypoint", spec.entrypoint);
  put_list(body, "Cmd", spec.command);
  // A host name of its own is refused by the engine together with uts: host.
  if (spec.uts != "host") put_text(body, "Hostname", spec.hostname);
  put_text(body, "User", spec.user);
  put_text(body, "WorkingDir", spec.working_dir);
  put_text(body, "StopSignal", spec.stop_signal);
  for (const auto& [key, value] : spec.environment) body["Env"].push_back(key + "=" + value);
  body["Labels"] = spec.labels;
  if (!spec.ports.empty()) {
    Json exposed = Json::object();
    host["PortBindings"] = ports_of(spec.ports, exposed);
    body["ExposedPorts"] = exposed;
  }
  body["HostConfig"] = host;
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Response Docker::call(std::string_view method, const std::string& target, std::string_view body,
                      std::initializer_list<int> accepted, const std::string& what) const {
  auto response = http_request(socket_, method, kApi + target, body);
  if (std::find(accepted.begin(), accepted.end(), response.status) == accepted.end()) {
    const Json json = Json::parse(response.body, nullptr, false);
    std::string reason = json.is_discarded() ? "" : text_of(json, "message");
    if (reason.empty()) reason = fmt::format("the engine answered {}", response.status);
    throw Error{fmt::format("{}: {}", what, reason)};
  }
  return response;
}

void Docker::ping() const {
  const auto response = http_request(socket_, "GET", "/_ping");
  if (response.status != 200) {
    throw Error{fmt::format("{}: the engine answered {}", socket_, response.status)};
  }
}

std::string Docker::version() const {
  return text_of(parse(call("GET", "/version", {}, {200}, "version").body), "Version");
}

std::string Docker::image_id(const std::string& reference) const {
  const auto response = call("GET", "/images/" + percent_encode(reference) + "/json", {},
                             {200, 404}, "inspect image " + reference);
  return response.status == 200 ? text_of(parse(response.body), "Id") : std::string{};
}

std::vector<Container> Docker::list(bool all, const std::string& label) const {
  std::string target = fmt::format("/containers/json?all={}", all ? 1 : 0);
  if (!label.empty()) {
    target += "&filters=" + percent_encode(Json{{"label", {label}}}.dump());
  }
  std::vector<Container> containers;
  const Json json = parse(call("GET", target, {}, {200}, "list containers").body);
  for (const auto& item : json) {
    Container container;
    container.id = text_of(item, "Id");
    container.image = text_of(item, "Image");
    container.state = text_of(item, "State");
    container.status = text_of(item, "Status");
    container.labels = map_of(item, "Labels");
    if (item.is_object() && item.contains("Names") && !item["Names"].empty() &&
        item["Names"][0].is_string()) {
      const auto name = item["Names"][0].get<std::string>();
      container.name = name.substr(name.starts_with('/') ? 1 : 0);
    }
    containers.push_back(std::move(container));
  }
  return containers;
}

std::optional<ContainerState> Docker::inspect(const std::string& name) const {
  const auto response = call("GET", "/containers/" + percent_encode(name) + "/json", {}, {200, 404},
                             "inspect " + name);
  if (response.status == 404) return std::nullopt;
  const Json json = parse(response.body);
  const Json state = object_of(json, "State");
  ContainerState result;
  result.id = text_of(json, "Id");
  result.status = text_of(state, "Status");
  result.running = state.contains("Running") && state["Running"] == true;
  result.exit_code = number_of(state, "ExitCode", 0);
  result.pid = number_of(state, "Pid", 0);
  return result;
}

std::string Docker::default_bridge() const {
  const auto response = call("GET", "/networks/bridge", {}, {200, 404}, "inspect network bridge");
  if (response.status == 404) return {};
  return text_of(object_of(parse(response.body), "Options"), "com.docker.network.bridge.name");
}

std::string Docker::create(const std::string& name, const ContainerSpec& spec) const {
  const auto response = call("POST", "/containers/create?name=" + percent_encode(name),
                             create_body(spec), {201}, "create " + name);
  return text_of(parse(response.body), "Id");
}

void Docker::start(const std::string& id) const {
  call("POST", "/containers/" + percent_encode(id) + "/start", {}, {204, 304}, "start " + id);
}

void Docker::stop(const std::string& id, int seconds) const {
  call("POST", fmt::format("/containers/{}/stop?t={}", percent_encode(id), seconds), {},
       {204, 304, 404}, "stop " + id);
}

void Docker::restart(const std::string& id, int seconds) const {
  call("POST", fmt::format("/containers/{}/restart?t={}", percent_encode(id), seconds), {}, {204},
       "restart " + id);
}

void Docker::kill(const std::string& id, const std::string& signal) const {
  call("POST", "/containers/" + percent_encode(id) + "/kill?signal=" + percent_encode(signal), {},
       {204, 409}, "kill " + id);
}

void Docker::remove(const std::string& id, bool volumes) const {
  call("DELETE", fmt::format("/containers/{}?force=1&v={}", percent_encode(id), volumes ? 1 : 0),
       {}, {204, 404}, "remove " + id);
}

std::vector<Image> Docker::images() const {
  std::vector<Image> images;
  const Json json = parse(call("GET", "/images/json", {}, {200}, "list images").body);
  for (const auto& item : json) {
    Image image{text_of(item, "Id"), {}};
    if (item.is_object() && item.contains("RepoTags") && item["RepoTags"].is_array()) {
      for (const auto& tag : item["RepoTags"])
        if (tag.is_string()) image.tags.push_back(tag.get<std::string>());
    }
    images.push_back(std::move(image));
  }
  return images;
}

bool Docker::remove_image(const std::string& id) const {
  return call("DELETE", "/images/" + percent_encode(id) + "?force=0", {}, {200, 404, 409},
              "remove image " + id)
             .status != 409;
}

int Docker::wait(const std::string& id) const {
  const auto response =
      call("POST", "/containers/" + percent_encode(id) + "/wait", {}, {200}, "wait for " + id);
  return number_of(parse(response.body), "StatusCode", -1);
}

void Docker::put_archive(const std::string& id, std::string_view tar) const {
  call("PUT", "/containers/" + percent_encode(id) + "/archive?path=/", tar, {200},
       "write files into " + id);
}

void Docker::logs(const std::string& id, bool follow, int lines,
                  const std::function<void(int, std::string_view)>& sink) const {
  const std::string tail = lines < 0 ? "all" : std::to_string(lines);
  auto stream = http_open(socket_, "GET",
                          fmt::format("{}/containers/{}/logs?stdout=1&stderr=1&follow={}&tail={}",
                                      kApi, percent_encode(id), follow ? 1 : 0, tail));
  if (stream.status() != 200) {
    const Json json = Json::parse(stream.read_all(1 << 20), nullptr, false);
    throw Error{
        fmt::format("logs of {}: {}", id, json.is_discarded() ? "" : text_of(json, "message"))};
  }
  const bool raw = stream.header("content-type") == kRawStream;
  LogReader reader;
  while (const auto bytes = stream.read()) {
    if (raw)
      sink(1, *bytes);
    else
      reader.feed(*bytes, sink);
  }
}

ResponseStream Docker::open_events(const std::string& filter) const {
  auto stream =
      http_open(socket_, "GET", fmt::format("{}/events?filters={}", kApi, percent_encode(filter)));
  if (stream.status() != 200) throw Error{"the engine does not give its events"};
  return stream;
}

void LogReader::feed(std::string_view bytes,
                     const std::function<void(int, std::string_view)>& sink) {
  pending_.append(bytes);
  std::string_view rest = pending_;
  while (rest.size() >= 8) {
    const auto byte = [&](std::size_t i) {
      return static_cast<std::uint32_t>(static_cast<unsigned char>(rest[i]));
    };
    const std::size_t size = byte(4) << 24 | byte(5) << 16 | byte(6) << 8 | byte(7);
    if (rest.size() - 8 < size) break;
    sink(rest[0] == 2 ? 2 : 1, rest.substr(8, size));
    rest.remove_prefix(8 + size);
  }
  pending_.erase(0, pending_.size() - rest.size());
}

}  // namespace ros
