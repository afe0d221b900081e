#include "runtime/ros/guestinfo.h"

#include <fmt/format.h>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/mime.h"
#include "runtime/ros/network_data.h"
#include "runtime/ros/network_tree.h"
#include "runtime/ros/seed.h"
#include "runtime/ros/settings.h"
#include "runtime/ros/vmware_rpc.h"
#include "runtime/ros/xml.h"

namespace ros {
namespace {

constexpr int kMost = 32;  // interfaces, addresses, servers: lists end at the first gap
constexpr const char* kPrefix = "guestinfo.";

bool is_yes(const std::string& text) {
  const std::string lower = lower_case(trim(text));
  return lower == "yes" || lower == "true" || lower == "1";
}

std::vector<std::string> comma_list(const std::string& text) {
  std::vector<std::string> items;
  for (const auto& item : split(text, ',')) {
    if (!trim(item).empty()) items.emplace_back(trim(item));
  }
  return items;
}

class Reader {
 public:
  Reader(const GuestInfo& info, std::vector<std::string>& problems)
      : info_(info), problems_(problems) {}

  std::optional<UserData> read() && {
    data_.metadata.hostname = info_("hostname");
    data_.text = decoded("cloud-init.config.data", "cloud-init.data.encoding");
    if (data_.text.empty()) {
      const std::string url = info_("cloud-init.config.url");
      if (!url.empty()) data_.text = "#include " + url + "\n";
    }
    if (data_.text.empty()) data_.text = decoded("userdata", "userdata.encoding");
    read_interfaces();
    read_metadata();
    const Metadata& metadata = data_.metadata;
    if (data_.text.empty() && metadata.hostname.empty() && metadata.ssh_keys.empty() &&
        data_.network.is_null())
      return std::nullopt;
    return std::move(data_);
  }

 private:
  std::string decoded(const std::string& key, const std::string& encoding) {
    const std::string text = info_(key);
    try {
      return text.empty() ? text : decode_content(text, info_(encoding));
    } catch (const Error& error) {
      problems_.push_back(fmt::format("{}{}: {}", kPrefix, key, error.what()));
      return {};
    }
  }

  // cloud-init's own source: host name, keys and network in one document.
  void read_metadata() {
    const std::string text = decoded("metadata", "metadata.encoding");
    if (text.empty()) return;
    const std::string name = std::string{kPrefix} + "metadata";
    Metadata metadata = parse_metadata(text, name, problems_);
    if (data_.metadata.hostname.empty()) data_.metadata.hostname = metadata.hostname;
    data_.metadata.ssh_keys = std::move(metadata.ssh_keys);
    if (!data_.network.is_null()) return;
    try {
      const Value tree = parse_yaml(text, name);
      const Value* network = tree.find("network");
      if (!network) return;
      std::vector<std::string> complaints;
      data_.network = network_of_cloud_init(*network, complaints);
      for (const auto& complaint : complaints) problems_.push_back(name + ": " + complaint);
    } catch (const Error&) {  // parse_metadata has said so
    }
  }

  void read_interfaces() {
    std::vector<std::string> complaints;
    NetworkTree tree{complaints};
    for (int i = 0; i < kMost; ++i) {
      const std::string prefix = fmt::format("interface.{}.", i);
      const std::string name = info_(prefix + "name");
      const std::string mac = info_(prefix + "mac");
      if (name.empty() && mac.empty()) break;
      const std::string key = mac.empty() ? tree.add_interface(name) : tree.add_mac(mac);
      if (is_yes(info_(prefix + "dhcp"))) tree.use_dhcp(key);
      read_addresses(tree, key, prefix);
    }
    for (int i = 0; i < kMost; ++i) {
      const std::string server = info_(fmt::format("dns.server.{}", i));
      if (server.empty()) break;
      tree.add_name_servers({server});
    }
    tree.add_name_servers(comma_list(info_("dns.servers")));
    for (int i = 0; i < kMost; ++i) {
      const std::string domain = info_(fmt::format("dns.domain.{}", i));
      if (domain.empty()) break;
      tree.add_search({domain});
    }
    tree.add_search(comma_list(info_("dns.domains")));
    data_.network = std::move(tree).finish();
    for (const auto& complaint : complaints) problems_.push_back(kPrefix + complaint);
  }

  void read_addresses(NetworkTree& tree, const std::string& key, const std::string& prefix) {
    for (int i = 0; i < kMost; ++i) {
      const std::string address = info_(fmt::format("{}ip.{}.address", prefix, i));
      if (address.empty()) break;
      tree.add_address(key, address, info_(fmt::format("{}ip.{}.netmask", prefix, i)));
    }
    for (int i = 0; i < kMost; ++i) {
      const std::string route = fmt::format("{}route.{}.", prefix, i);
      const std::string gateway = info_(route + "gateway");
      if (gateway.empty()) break;
      const std::string to = info_(route + "destination");
      tree.add_route(key, to.empty() ? "default" : to, {}, gateway);
    }
  }

  const GuestInfo& info_;
  std::vector<std::string>& problems_;
  UserData data_;
};

GuestInfo from_ovf(std::string_view xml, std::vector<std::string>& problems) {
  return [properties = parse_ovf_environment(xml, problems)](const std::string& key) {
    const auto found = properties.find(key);
    return found == properties.end() ? std::string{} : found->second;
  };
}

std::optional<UserData> read_named(const GuestInfo& info, const std::string& source,
                                   std::vector<std::string>& problems) {
  auto data = read_guestinfo(info, problems);
  if (data) data->source = source;
  return data;
}

}  // namespace

std::optional<UserData> read_guestinfo(const GuestInfo& info, std::vector<std::string>& problems) {
  return Reader{info, problems}.read();
}

std::map<std::string, std::string> parse_ovf_environment(std::string_view xml,
                                                         std::vector<std::string>& problems) {
  std::map<std::string, std::string> properties;
  bool environment = false;
  const bool whole = for_each_element(xml, [&](const XmlElement& element) {
    environment = environment || element.name == "Environment";
    if (!environment || element.name != "Property") return;
    const std::string key = element.attribute("key");
    if (key.starts_with(kPrefix)) properties[key.substr(10)] = element.attribute("value");
  });
  if (!environment) problems.emplace_back("the OVF environment is no such document");
  if (environment && !whole) problems.emplace_back("the OVF environment is cut short or wrong");
  return properties;
}

std::optional<UserData> fetch_vmware(const std::string& file, std::vector<std::string>& problems) {
  if (!file.empty()) {
    if (const auto xml = read_document(file, problems); !xml.empty())
      return read_named(from_ovf(xml, problems), "OVF environment " + file, problems);
  }
  if (const auto xml = read_from_disk("OVF ENV", "ovf-env.xml", problems); !xml.empty()) {
    if (auto data = read_named(from_ovf(xml, problems), "OVF environment on a CD", problems))
      return data;
  }
  const auto rpc = open_vmware_rpc();
  if (!rpc) return std::nullopt;
  const GuestInfo variables = [&](const std::string& key) {
    return rpc->get(kPrefix + key).value_or("");
  };
  if (const auto xml = variables("ovfEnv"); !xml.empty()) {
    if (auto data = read_named(from_ovf(xml, problems), "OVF environment", problems)) return data;
  }
  return read_named(variables, "VMware guestinfo", problems);
}

}  // namespace ros
