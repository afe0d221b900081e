#include "runtime/ros/datasource.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/ros/fetch.h"
#include "runtime/ros/guestinfo.h"
#include "runtime/ros/metadata.h"
#include "runtime/ros/network_tree.h"
#include "runtime/ros/seed.h"
#include "runtime/ros/side_by_side.h"

namespace ros {
namespace {

using std::chrono::milliseconds;

constexpr const char* kScript = "cloud-config-script";
constexpr const char* kScripts = "cloud-config-scripts";
constexpr const char* kWhole = "user-data.sha256";  // of what is saved with all that it includes
constexpr const char* kLeases = "run/ros/dhcp";     // written by `ros dhcp-hook`
constexpr const char* kNetworkHeader = "# The network as the datasource describes it: ";

// Members of Metadata that are one text, by their names in the saved file.
const std::vector<std::pair<const char*, std::string Metadata::*>> kMetadata{
    {"hostname", &Metadata::hostname},
    {"public_ipv4", &Metadata::public_ipv4},
    {"private_ipv4", &Metadata::private_ipv4},
    {"public_ipv6", &Metadata::public_ipv6},
    {"private_ipv6", &Metadata::private_ipv6}};

// --- which sources -----------------------------------------------------------------

struct Source {
  std::string name;
  std::string argument;
};

using FetchLocally = std::optional<UserData> (*)(const std::string& argument,
                                                 std::vector<std::string>& problems);

const std::map<std::string, FetchLocally>& local_sources() {
  static const std::map<std::string, FetchLocally> sources{{"configdrive", fetch_config_drive},
                                                           {"nocloud", fetch_nocloud},
                                                           {"proxmox", fetch_proxmox},
                                                           {"vmware", fetch_vmware},
                                                           {"file", fetch_file}};
  return sources;
}

const MetadataService* find_service(const std::string& name) {
  for (const auto& service : metadata_services()) {
    if (service.name == name) return &service;
  }
  return nullptr;
}

bool is_network_source(const std::string& name) {
  return name == "url" || name == "tftp" || name == "cmdline" || find_service(name);
}

// The list of the configuration, and what the firmware says this machine is.
std::vector<Source> listed_sources(const Config& config, const fs::path& root) {
  std::vector<Source> sources;
  const auto add = [&](std::string name, std::string argument = {}) {
    for (const auto& source : sources) {
      if (source.name == name && source.argument == argument) return;
    }
    sources.push_back({std::move(name), std::move(argument)});
  };
  const auto firmware = [&](const char* file) {
    return try_read_file(root / "sys/class/dmi/id" / file).value_or("");
  };
  const std::string product = firmware("product_name");
  if (product.starts_with("Exoscale")) add("exoscale");
  if (product.find("Proxmox") != std::string::npos) add("proxmox");
  for (const auto& text : config.texts("rancher.cloud_init.datasources")) {
    const auto colon = std::min(text.find(':'), text.size());
    if (text == "*") {
      for (const char* name : {"configdrive", "nocloud", "vmware", "ec2", "digitalocean", "packet",
                               "gce", "cloudstack", "exoscale", "proxmox"}) {
        add(name);
      }
    } else {
      add(text.substr(0, colon), text.substr(std::min(colon + 1, text.size())));
    }
  }
  if (firmware("sys_vendor").starts_with("VMware")) add("vmware");
  return sources;
}

// --- sources on the network -----------------------------------------------------------

milliseconds wait_of(const Config& config, const NetworkOptions& options) {
  if (options.wait) return *options.wait;
  const auto seconds = config.integer("rancher.cloud_init.wait", kNetworkWait.count());
  return std::chrono::seconds{std::clamp<std::int64_t>(seconds, 0, 3600)};
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

Ask ask_url(const std::string& name, const std::string& url, const Config& config) {
  return [name, url, proxies = proxies_of(config)](const Patience& patience) -> Answer {
    Answer answer;
    try {
      std::string text = fetch_text(url, patience, proxies);
      if (trim(text).empty()) throw Error{"it is empty"};
      answer.data = UserData{fmt::format("{} {}", name, url), std::move(text), {}, {}};
    } catch (const Error& error) {
      // Unlike a service, somebody named this one: it has to be there.
      answer.reached = error.kind() != Error::Kind::network;
      answer.problems.push_back(fmt::format("{} {}: {}", name, url, error.what()));
    }
    return answer;
  };
}

// Where a source may be found; nothing for one that needs no network.
std::vector<Ask> questions_for(const Source& source, const Config& config, const fs::path& root) {
  if (source.name == "url") return {ask_url(source.name, source.argument, config)};
  if (source.name == "tftp") return {ask_url(source.name, "tftp://" + source.argument, config)};
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
  std::vector<Ask> questions;
  if (bases[0].empty()) {
    bases.clear();
    for (const auto& server : dhcp_servers(root)) bases.push_back("http://" + server);
    // The lease of another card, with the server that knows, may come later than the refusal of
    // this one's.
    questions.push_back([](const Patience&) {
      Answer answer;
      answer.reached = false;
      return answer;
    });
  }
  for (const auto& base : bases) {
    questions.push_back([service, base](const Patience& patience) {
      return ask_service(*service, base, patience);
    });
  }
  return questions;
}

// While somebody could not be reached (a network that is still being set up, a
// service that starts later than its machines) all are asked again.
Answer ask_all(const Config& config, const NetworkOptions& options) {
  const Patience patience = Patience{}.at_most(wait_of(config, options));
  for (milliseconds pause{250};; pause = std::min<milliseconds>(pause * 2, milliseconds{4000})) {
    std::vector<Ask> questions;
    for (const auto& source : listed_sources(config, options.root)) {
      for (auto& ask : questions_for(source, config, options.root))
        questions.push_back(std::move(ask));
    }
    Answer answer = first_of(questions, patience);
    if (answer.data || answer.reached || patience.left() <= pause) return answer;
    patience.pause(pause);
  }
}

// Whoever lists sources waits for one; silence about them would look like a box that hangs.
std::string nobody_answered(const Config& config, const NetworkOptions& options) {
  std::string names;
  for (const auto& source : listed_sources(config, options.root)) {
    if (is_network_source(source.name)) names += (names.empty() ? "" : ", ") + source.name;
  }
  const auto wait = wait_of(config, options);
  return fmt::format(
      "rancher.cloud_init.datasources: none of {} answered within {} s; list what this machine "
      "has, or raise rancher.cloud_init.wait",
      names, std::chrono::duration_cast<std::chrono::seconds>(wait).count());
}

// --- keeping it -----------------------------------------------------------------------

void save_scripts(const std::vector<std::string>& scripts, const fs::path& root) {
  const fs::path folder = root / kConfigFolder;
  if (scripts.size() < 2) fs::remove_all(folder / kScripts);
  if (scripts.empty()) {
    fs::remove(folder / kScript);
  } else if (scripts.size() == 1) {
    write_file_if_changed(folder / kScript, scripts[0], 0700);
  } else {
    // Each runs whatever became of those before it, as each would alone.
    std::string all = "#!/bin/sh\nstatus=0\n";
    for (std::size_t i = 0; i < scripts.size(); ++i) {
      const fs::path file = fs::path{kConfigFolder} / kScripts / std::to_string(i + 1);
      write_file_if_changed(root / file, scripts[i], 0700);
      all += fmt::format("/{} || status=$?\n", file.string());
    }
    write_file_if_changed(folder / kScript, all + "exit $status\n", 0700);
  }
}

// What the whole does not have goes. Half of it does not replace the whole of the same document,
// which was saved when there was a network; and what says nothing replaces nothing.
void save_parts(const UserData& data, std::vector<std::string>& problems, const fs::path& root,
                const FetchUrl& fetch) {
  const fs::path folder = root / kConfigFolder;
  bool whole = fetch || !needs_network(data.text);
  const FetchUrl watched = [&](const std::string& url) {
    try {
      return fetch(url);
    } catch (const std::exception&) {
      whole = false;
      throw;
    }
  };
  const auto [config, scripts] =
      split_user_data(data.text, data.source, fetch ? watched : FetchUrl{}, problems);
  const std::string digest = sha256(data.text);
  const bool known = try_read_file(folder / kWhole) == digest;
  if (!whole && known) return;
  if (config.empty() && scripts.empty()) return;
  if (!known) fs::remove(folder / kWhole);
  if (!config.empty()) {
    write_file_if_changed(folder / "cloud-config.d" / "boot.yml", config, 0600);
  } else if (whole) {
    fs::remove(folder / "cloud-config.d" / "boot.yml");
  }
  if (whole || !scripts.empty()) save_scripts(scripts, root);
  if (whole) write_file_if_changed(folder / kWhole, digest, 0600);
}

// One that somebody wrote by hand is left alone unless the source has a network.
void save_network(const UserData& data, const fs::path& file) {
  if (!data.network.is_null()) {
    Value tree = Value::map();
    tree.set_path("rancher.network", data.network);
    write_file_if_changed(file, kNetworkHeader + data.source + "\n" + to_yaml(tree), 0600);
  } else if (try_read_file(file).value_or("").starts_with(kNetworkHeader)) {
    fs::remove(file);
  }
}

}  // namespace

std::optional<UserData> fetch_local_user_data(const Config& config,
                                              std::vector<std::string>& problems,
                                              const fs::path& root) {
  std::optional<UserData> found;
  for (const auto& [name, argument] : listed_sources(config, root)) {
    if (is_network_source(name)) continue;
    const auto source = local_sources().find(name);
    if (source == local_sources().end()) {
      problems.push_back(fmt::format("rancher.cloud_init.datasources: unknown source {}", name));
    } else if (!found) {
      found = source->second(argument, problems);
    }
  }
  return found;
}

std::optional<UserData> fetch_network_user_data(const Config& config,
                                                std::vector<std::string>& problems,
                                                const NetworkOptions& options) {
  try {
    Answer answer = ask_all(config, options);
    problems.insert(problems.end(), answer.problems.begin(), answer.problems.end());
    if (!answer.data && !answer.reached && answer.problems.empty())
      problems.push_back(nobody_answered(config, options));
    return std::move(answer.data);
  } catch (const std::exception& error) {  // no more threads or files
    problems.push_back(fmt::format("rancher.cloud_init.datasources: {}", error.what()));
    return std::nullopt;
  }
}

bool has_network_sources(const Config& config, const fs::path& root) {
  const auto sources = listed_sources(config, root);
  return std::any_of(sources.begin(), sources.end(),
                     [](const Source& source) { return is_network_source(source.name); });
}

std::vector<std::string> proxies_of(const Config& config) {
  std::vector<std::string> proxies;
  for (const char* name : {"http_proxy", "https_proxy", "no_proxy"}) {
    const std::string value = config.text(std::string{"rancher.network."} + name);
    if (!value.empty()) proxies.push_back(fmt::format("{}={}", name, value));
  }
  return proxies;
}

FetchUrl include_fetcher(const Config& config, const NetworkOptions& options) {
  return [patience = Patience{}.at_most(wait_of(config, options)), proxies = proxies_of(config)](
             const std::string& url) { return fetch_text(url, patience, proxies); };
}

void save_user_data(const UserData& data, std::vector<std::string>& problems, const fs::path& root,
                    const FetchUrl& fetch) {
  const fs::path folder = root / kConfigFolder;
  fs::create_directories(folder / "cloud-config.d");
  save_parts(data, problems, root, fetch);
  save_network(data, folder / "cloud-config.d" / "network.yml");
  Metadata metadata = data.metadata;
  note_addresses(data.network, metadata);
  Value tree = Value::map();
  for (const auto& [name, place] : kMetadata) {
    if (const std::string& text = metadata.*place; !text.empty())
      tree.set(name, Value::scalar(text, false));
  }
  tree.set("ssh_keys", Value::texts(metadata.ssh_keys));
  write_file_if_changed(folder / "metadata", to_yaml(tree), 0600);
}

Metadata load_metadata(const fs::path& root) {
  Metadata metadata;
  const auto text = try_read_file(root / kConfigFolder / "metadata");
  if (!text) return metadata;
  try {
    const Value tree = parse_yaml(*text, "metadata");
    for (const auto& [name, place] : kMetadata) metadata.*place = member_text(tree, name);
    if (const Value* keys = tree.find("ssh_keys")) metadata.ssh_keys = keys->as_texts();
  } catch (const Error& error) {  // our own file, damaged
    log::error(error.what());
  }
  return metadata;
}

std::string hostname_of(const Config& config, const Metadata& metadata, const fs::path& root) {
  std::string name = config.text("hostname");
  if (name.empty()) name = config.text("fqdn").substr(0, config.text("fqdn").find('.'));
  if (name.empty()) name = metadata.hostname;
  if (name.empty()) name = trim(try_read_file(root / kDhcpHostname).value_or(""));
  if (name.empty()) name = config.text("rancher.defaults.hostname", "rancher");
  return name;
}

}  // namespace ros
