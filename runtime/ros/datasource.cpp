#include "runtime/ros/datasource.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/mount.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <mutex>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/ros/fetch.h"
#include "runtime/ros/label.h"
#include "runtime/ros/metadata.h"

namespace ros {
namespace {

constexpr const char* kScript = "cloud-config-script";
constexpr const char* kScripts = "cloud-config-scripts";
constexpr const char* kLeases = "run/ros/dhcp";  // written by `ros dhcp-hook`

// A file system mounted read-only for as long as this lives.
class Mounted {
 public:
  explicit Mounted(const std::string& device) : path_("/run/ros/datasource") {
    fs::create_directories(path_);
    for (const char* type : {"iso9660", "vfat", "ext4"}) {
      if (::mount(device.c_str(), path_.c_str(), type, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                  nullptr) == 0) {
        return;
      }
    }
    throw Error::from_errno("cannot mount " + device);
  }
  Mounted(const Mounted&) = delete;
  ~Mounted() { ::umount2(path_.c_str(), MNT_DETACH); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// The text of a file, "" when there is none. Nobody means a larger one.
std::string read_document(const fs::path& file, std::vector<std::string>& problems) {
  boost::system::error_code absent;
  const auto size = fs::file_size(file, absent);
  if (absent) return {};
  if (size > kMaxDocument) {
    problems.push_back(
        fmt::format("{}: it is larger than {}", file.string(), human_size(kMaxDocument)));
    return {};
  }
  return try_read_file(file).value_or("");
}

Value parse_metadata(const fs::path& file, std::vector<std::string>& problems) {
  const std::string text = read_document(file, problems);
  try {
    return parse_yaml(text, file.filename().string());
  } catch (const Error& error) {
    problems.emplace_back(error.what());
    return {};
  }
}

// Keys come as a list, or as a map of names to keys or to maps with one.
std::vector<std::string> keys_of(const Value* value) {
  std::vector<std::string> keys;
  if (!value) return keys;
  keys = value->as_texts();
  for (const auto& member : value->members()) {
    if (member.second.is_scalar()) keys.push_back(member.second.text());
    if (const Value* nested = member.second.find("openssh-key")) keys.push_back(nested->text());
  }
  return keys;
}

std::string text_of(const Value& value, std::string_view key) {
  const Value* member = value.find(key);
  return member ? member->text() : std::string{};
}

std::optional<UserData> from_disk(const std::string& label, const std::string& kind,
                                  UserData (*read)(const fs::path&, std::vector<std::string>&),
                                  std::vector<std::string>& problems) {
  const std::string device = find_by_label(label);
  if (device.empty()) return std::nullopt;
  try {
    const Mounted disk{device};
    UserData data = read(disk.path(), problems);
    data.source = fmt::format("{} on {}", kind, device);
    return data;
  } catch (const std::exception& error) {
    problems.push_back(fmt::format("{}: {}", kind, error.what()));
    return std::nullopt;
  }
}

std::optional<UserData> from_file(const std::string& path, std::vector<std::string>& problems) {
  std::string text = read_document(path, problems);
  if (trim(text).empty()) return std::nullopt;
  return UserData{"file " + path, std::move(text), {}};
}

struct Source {
  std::string name;
  std::string argument;
};

std::vector<Source> listed_sources(const Config& config) {
  std::vector<Source> sources;
  for (const auto& text : config.texts("rancher.cloud_init.datasources")) {
    const auto colon = std::min(text.find(':'), text.size());
    sources.push_back({text.substr(0, colon), text.substr(std::min(colon + 1, text.size()))});
  }
  return sources;
}

const MetadataService* find_service(const std::string& name) {
  for (const auto& service : metadata_services()) {
    if (service.name == name) return &service;
  }
  return nullptr;
}

bool is_network_source(const std::string& source) {
  return source == "url" || source == "cmdline" || find_service(source);
}

std::vector<std::string> proxies_of(const Config& config) {
  std::vector<std::string> proxies;
  for (const char* name : {"http_proxy", "https_proxy", "no_proxy"}) {
    const std::string value = config.text(std::string{"rancher.network."} + name);
    if (!value.empty()) proxies.push_back(fmt::format("{}={}", name, value));
  }
  return proxies;
}

// The DHCP servers of all interfaces: in a cloudstack each has the metadata too.
std::vector<std::string> dhcp_servers(const fs::path& root) {
  std::vector<std::string> servers;
  boost::system::error_code ignored;
  for (fs::directory_iterator it{root / kLeases, ignored}, end; it != end; it.increment(ignored)) {
    for (const auto& line : split(try_read_file(it->path()).value_or(""), '\n')) {
      const auto parts = words(line);
      if (parts.size() == 2 && parts[0] == "server") servers.push_back(parts[1]);
    }
  }
  std::sort(servers.begin(), servers.end());
  servers.erase(std::unique(servers.begin(), servers.end()), servers.end());
  return servers;
}

using Ask = std::function<std::optional<UserData>(const Patience&, std::vector<std::string>&)>;

Ask ask_url(const std::string& name, const std::string& url, const Config& config) {
  return
      [name, url, proxies = proxies_of(config)](
          const Patience& patience, std::vector<std::string>& problems) -> std::optional<UserData> {
        try {
          std::string text = fetch_text(url, patience, proxies);
          if (trim(text).empty()) throw Error{"it is empty"};
          return UserData{fmt::format("{} {}", name, url), std::move(text), {}};
        } catch (const Error& error) {
          problems.push_back(fmt::format("{} {}: {}", name, url, error.what()));
          return std::nullopt;
        }
      };
}

// Where a source may be found; nothing for one that needs no network.
std::vector<Ask> questions_for(const Source& source, const Config& config, const fs::path& root) {
  if (source.name == "url") return {ask_url(source.name, source.argument, config)};
  if (source.name == "cmdline") {
    const Cmdline line{try_read_file(root / "proc/cmdline").value_or("")};
    for (const char* name : {"cloud-config-url", "cloud_config_url"}) {
      const auto urls = line.all(name);
      if (!urls.empty()) return {ask_url(source.name, urls.back(), config)};
    }
    return {};
  }
  const MetadataService* service = find_service(source.name);
  if (!service) return {};
  std::vector<std::string> bases{source.argument.empty() ? service->base : source.argument};
  if (bases[0].empty()) {
    bases.clear();
    for (const auto& server : dhcp_servers(root)) bases.push_back("http://" + server);
  }
  std::vector<Ask> questions;
  for (const auto& base : bases) {
    questions.push_back(
        [service, base](const Patience& patience, std::vector<std::string>& problems) {
          return ask_service(*service, base, patience, problems);
        });
  }
  return questions;
}

struct Attempt {
  Ask ask;
  std::optional<UserData> data{};
  std::vector<std::string> problems{};
  bool done = false;
};

// Ends what waits with a patience that has this eventfd.
struct CallOff {
  int cancel;
  ~CallOff() { ::eventfd_write(cancel, 1); }
};

// Asks all side by side. As soon as one answered and all before it are known to
// have nothing, the others are called off; problems of those are nobody's.
std::optional<UserData> first_of(std::vector<Attempt>& attempts, std::chrono::milliseconds time,
                                 std::vector<std::string>& problems) {
  const Fd cancel{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!cancel) throw Error::from_errno("eventfd");
  const Patience patience =
      Patience{Patience::Clock::time_point::max(), cancel.get()}.at_most(time);
  std::mutex mutex;
  std::condition_variable ended;
  std::vector<std::jthread> threads;
  const CallOff at_exit{cancel.get()};  // before the threads are joined
  for (auto& attempt : attempts) {
    threads.emplace_back([&] {
      std::optional<UserData> data;
      try {
        data = attempt.ask(patience, attempt.problems);
      } catch (const std::exception& error) {
        attempt.problems.emplace_back(error.what());
      }
      const std::lock_guard lock{mutex};
      attempt.data = std::move(data);
      attempt.done = true;
      ended.notify_all();
    });
  }
  for (auto& attempt : attempts) {
    std::unique_lock lock{mutex};
    ended.wait(lock, [&] { return attempt.done; });
    problems.insert(problems.end(), attempt.problems.begin(), attempt.problems.end());
    if (attempt.data) return std::move(attempt.data);
  }
  return std::nullopt;
}

}  // namespace

UserData read_nocloud(const fs::path& folder, std::vector<std::string>& problems) {
  UserData data;
  data.text = read_document(folder / "user-data", problems);
  const Value meta = parse_metadata(folder / "meta-data", problems);
  data.metadata.hostname = text_of(meta, "local-hostname");
  if (data.metadata.hostname.empty()) data.metadata.hostname = text_of(meta, "hostname");
  data.metadata.ssh_keys = keys_of(meta.find("public-keys"));
  return data;
}

UserData read_config_drive(const fs::path& folder, std::vector<std::string>& problems) {
  const fs::path latest = folder / "openstack" / "latest";
  Documents documents{{"user-data", read_document(latest / "user_data", problems)}};
  if (fs::exists(latest / "meta_data.json")) {
    documents["meta-data"] = read_document(latest / "meta_data.json", problems);
  }
  std::vector<Complaint> complaints;
  UserData data = read_openstack(documents, complaints);
  for (const auto& complaint : complaints) {
    problems.push_back(fmt::format("config drive: meta_data.json: {}", complaint.what));
  }
  return data;
}

std::optional<UserData> fetch_local_user_data(const Config& config,
                                              std::vector<std::string>& problems) {
  std::optional<UserData> found;
  for (const auto& [name, argument] : listed_sources(config)) {
    if (is_network_source(name)) continue;
    if (name != "configdrive" && name != "nocloud" && name != "file") {
      problems.push_back(fmt::format("rancher.cloud_init.datasources: unknown source {}", name));
    }
    if (found) continue;
    if (name == "configdrive")
      found = from_disk("config-2", "config drive", read_config_drive, problems);
    if (name == "nocloud") found = from_disk("cidata", "NoCloud", read_nocloud, problems);
    if (name == "file") found = from_file(argument, problems);
  }
  return found;
}

std::optional<UserData> fetch_network_user_data(const Config& config,
                                                std::vector<std::string>& problems,
                                                const NetworkOptions& options) {
  std::vector<Attempt> attempts;
  for (const auto& source : listed_sources(config)) {
    for (auto& ask : questions_for(source, config, options.root)) {
      attempts.push_back({std::move(ask)});
    }
  }
  if (attempts.empty()) return std::nullopt;
  try {
    return first_of(attempts, options.time, problems);
  } catch (const std::exception& error) {  // no more threads or files
    problems.push_back(fmt::format("rancher.cloud_init.datasources: {}", error.what()));
    return std::nullopt;
  }
}

bool has_network_sources(const Config& config) {
  const auto sources = listed_sources(config);
  return std::any_of(sources.begin(), sources.end(),
                     [](const Source& source) { return is_network_source(source.name); });
}

FetchUrl include_fetcher(const Config& config, const NetworkOptions& options) {
  return [patience = Patience{}.at_most(options.time), proxies = proxies_of(config)](
             const std::string& url) { return fetch_text(url, patience, proxies); };
}

void save_user_data(const UserData& data, std::vector<std::string>& problems, const fs::path& root,
                    const FetchUrl& fetch) {
  const fs::path folder = root / kConfigFolder;
  fs::create_directories(folder / "cloud-config.d");
  const auto [config, scripts] = split_user_data(data.text, data.source, fetch, problems);
  if (!config.empty()) {
    write_file_atomically(folder / "cloud-config.d" / "boot.yml", config, 0600);
  }
  if (scripts.size() == 1) {
    write_file_atomically(folder / kScript, scripts[0], 0700);
  } else if (!scripts.empty()) {
    // Each runs whatever became of those before it, as each would alone.
    std::string all = "#!/bin/sh\nstatus=0\n";
    for (std::size_t i = 0; i < scripts.size(); ++i) {
      const fs::path file = fs::path{kConfigFolder} / kScripts / std::to_string(i + 1);
      write_file_atomically(root / file, scripts[i], 0700);
      all += fmt::format("/{} || status=$?\n", file.string());
    }
    write_file_atomically(folder / kScript, all + "exit $status\n", 0700);
  }
  Value metadata = Value::map();
  metadata.set("hostname", Value::scalar(data.metadata.hostname, false));
  metadata.set("ssh_keys", Value::texts(data.metadata.ssh_keys));
  write_file_atomically(folder / "metadata", to_yaml(metadata), 0600);
}

Metadata load_metadata(const fs::path& root) {
  Metadata metadata;
  std::vector<std::string> ignored;
  const Value tree = parse_metadata(root / kConfigFolder / "metadata", ignored);
  metadata.hostname = text_of(tree, "hostname");
  if (const Value* keys = tree.find("ssh_keys")) metadata.ssh_keys = keys->as_texts();
  return metadata;
}

std::string hostname_of(const Config& config, const Metadata& metadata) {
  std::string name = config.text("hostname");
  if (name.empty()) name = metadata.hostname;
  if (name.empty()) name = config.text("rancher.defaults.hostname", "rancher");
  return name;
}

}  // namespace ros
