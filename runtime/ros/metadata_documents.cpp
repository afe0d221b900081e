// What the services' documents mean. Their formats are those that the clouds
// publish; a member that is missing or of another type is as good as not said.
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "runtime/base/text.h"
#include "runtime/ros/metadata.h"
#include "runtime/ros/network_data.h"
#include "runtime/ros/network_tree.h"

namespace ros {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxKeys = 64;

using ToNetwork = Value (*)(const Value&, std::vector<std::string>&);

// "ssh-ed25519 AAAA… name", maybe with options before: as sshd(8) tells them.
bool is_key(std::string_view line) {
  for (const char* type : {"ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"}) {
    if (line.starts_with(type)) return line.find(' ') != std::string_view::npos;
  }
  return false;
}

class Reader {
 public:
  Reader(const Documents& documents, std::vector<Complaint>& complaints)
      : documents_(documents), complaints_(complaints) {}

  const std::string& text(const std::string& name) const {
    static const std::string none;
    const auto found = documents_.find(name);
    return found == documents_.end() ? none : found->second;
  }

  // An object, empty when the document is absent or something else.
  Json object(const std::string& name) {
    if (!documents_.contains(name)) return Json::object();
    // The library reads any depth and then needs a frame of the stack for each level of it.
    const bool sound = parse_json(text(name)).has_value();
    Json json = sound ? Json::parse(text(name), nullptr, false) : Json{};
    if (!sound || json.is_discarded()) {
      complain(name, "it is no JSON, cut short, or nested too deeply");
    } else if (!json.is_object()) {
      complain(name, "it is no JSON object");
    } else {
      return json;
    }
    return Json::object();
  }

  // A name that the kernel accepts. Some services give several, or longer ones.
  void set_hostname(const std::string& document, std::string_view name) {
    name = trim(name);
    name = name.substr(0, name.find_first_of(" \t\r\n"));
    if (name.size() > 63) name = name.substr(0, name.find('.'));
    const bool good =
        name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
          return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
        });
    if (good) {
      data.metadata.hostname = name;
    } else {
      complain(document, "it has no valid host name");
    }
  }

  void add_key(const std::string& document, std::string_view key) {
    key = trim(key);
    auto& keys = data.metadata.ssh_keys;
    if (key.empty() || std::find(keys.begin(), keys.end(), key) != keys.end()) return;
    if (!is_key(key) || key.find('\n') != std::string_view::npos) {
      complain(document, "it has something that is no ssh key");
    } else if (keys.size() < kMaxKeys) {
      keys.emplace_back(key);
    }
  }

  void add_keys(const std::string& document, const Json& list) {
    if (!list.is_array() && !list.is_object()) return;  // a map of names to keys does as well
    for (const auto& key : list) {
      if (key.is_string()) add_key(document, key.get_ref<const std::string&>());
    }
  }

  // An address of ours; what is none is as good as not there.
  static void set_address(std::string& place, std::string_view text) {
    text = trim(text);
    if (place.empty() && address_family(text) != AF_UNSPEC) place = text;
  }

  // `convert` is one of network_data.h.
  void set_network(const std::string& document, ToNetwork convert) {
    if (!documents_.contains(document)) return;
    const auto tree = parse_json(text(document));
    if (!tree || !tree->is_map()) {
      // object() says so of the other documents.
      if (document == "network")
        complain(document, "it is no JSON object, cut short, or nested too deeply");
      return;
    }
    std::vector<std::string> complaints;
    data.network = convert(*tree, complaints);
    for (auto& complaint : complaints) complain(document, std::move(complaint));
  }

  void complain(const std::string& document, std::string what) {
    complaints_.push_back({document, std::move(what)});
  }

  UserData data;

 private:
  const Documents& documents_;
  std::vector<Complaint>& complaints_;
};

// A member as text or object, empty when it is not there or of another type.
std::string text_of(const Json& json, const char* name) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

Json member(const Json& json, const char* name) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found != json.end() ? *found : Json{};
}

// Most services give JSON with a "hostname" and keys, and the user-data apart.
Json read_common(Reader& reader, const char* keys) {
  Json meta = reader.object("meta-data");
  reader.data.text = reader.text("user-data");
  reader.set_hostname("meta-data", text_of(meta, "hostname"));
  reader.add_keys("meta-data", member(meta, keys));
  return meta;
}

Json first_of_list(const Json& json, const char* name) {
  const Json list = member(json, name);
  return list.is_array() && !list.empty() ? list[0] : Json{};
}

// Common members, and a network in the cloud's own words.
UserData read_plain(const Documents& documents, std::vector<Complaint>& complaints,
                    const char* keys, const char* document, ToNetwork convert) {
  Reader reader{documents, complaints};
  read_common(reader, keys);
  reader.set_network(document, convert);
  return std::move(reader.data);
}

}  // namespace

std::vector<std::string> listed_keys(const std::string& listing) {
  std::vector<std::string> entries;
  for (const auto& line : split(listing, '\n')) {
    std::string_view entry = trim(line);
    if (is_key(entry)) continue;
    entry = entry.substr(0, entry.find_first_of("=/"));
    const bool plain = !entry.empty() && std::all_of(entry.begin(), entry.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    });
    if (plain && entries.size() < kMaxKeys) entries.emplace_back(entry);
  }
  return entries;
}

UserData read_ec2(const Documents& documents, std::vector<Complaint>& complaints) {
  Reader reader{documents, complaints};
  reader.data.text = reader.text("user-data");
  reader.set_hostname("hostname", reader.text("hostname"));
  for (const auto& [name, text] : documents) {
    if (!name.starts_with("public-keys")) continue;
    for (const auto& line : split(text, '\n')) {
      // Of the list itself only the lines that are keys: cloudstack has them there.
      if (name != "public-keys" || is_key(trim(line))) reader.add_key(name, line);
    }
  }
  Metadata& metadata = reader.data.metadata;
  for (const char* const name : {"local-ipv4", "private-ipv4"})
    Reader::set_address(metadata.private_ipv4, reader.text(name));
  for (const char* const name : {"public-ipv4", "eipv4"})
    Reader::set_address(metadata.public_ipv4, reader.text(name));
  Reader::set_address(metadata.public_ipv6, reader.text("ipv6"));
  return std::move(reader.data);
}

// Keys are lines "USER:KEY", whose user does not matter here. One that has an
// end is left out: until the next boot nothing would take it back.
UserData read_gce(const Documents& documents, std::vector<Complaint>& complaints) {
  Reader reader{documents, complaints};
  const Json instance = reader.object("instance");
  const Json attributes = member(instance, "attributes");
  const Json shared = member(reader.object("project"), "attributes");
  const auto add_keys = [&](const char* document, const Json& from, const char* name) {
    for (const auto& line : split(text_of(from, name), '\n')) {
      if (line.find("\"expireOn\"") != std::string::npos) continue;
      const auto colon = line.find(':');
      if (colon != std::string::npos) reader.add_key(document, line.substr(colon + 1));
    }
  };
  reader.set_hostname("instance", text_of(instance, "hostname"));
  add_keys("instance", attributes, "ssh-keys");
  add_keys("instance", attributes, "sshKeys");
  const std::string block = text_of(attributes, "block-project-ssh-keys");
  if (block != "true" && block != "TRUE" && text_of(attributes, "sshKeys").empty()) {
    add_keys("project", shared, "ssh-keys");
    add_keys("project", shared, "sshKeys");
  }
  const Json interface = first_of_list(instance, "networkInterfaces");
  Metadata& metadata = reader.data.metadata;
  Reader::set_address(metadata.private_ipv4, text_of(interface, "ip"));
  Reader::set_address(metadata.public_ipv4,
                      text_of(first_of_list(interface, "accessConfigs"), "externalIp"));
  const Json ipv6 = first_of_list(interface, "ipv6");
  if (ipv6.is_string()) Reader::set_address(metadata.public_ipv6, ipv6.get<std::string>());
  std::string& text = reader.data.text;
  text = text_of(attributes, "user-data");
  if (text_of(attributes, "user-data-encoding") == "base64") {
    if (const auto bytes = decode_base64(text)) {
      text = *bytes;
    } else {
      text.clear();
      reader.complain("instance", "its user-data is no base64");
    }
  }
  if (text.empty()) text = text_of(attributes, "startup-script");
  return std::move(reader.data);
}

UserData read_digitalocean(const Documents& documents, std::vector<Complaint>& complaints) {
  return read_plain(documents, complaints, "public_keys", "meta-data", network_of_digitalocean);
}

UserData read_packet(const Documents& documents, std::vector<Complaint>& complaints) {
  return read_plain(documents, complaints, "ssh_keys", "meta-data", network_of_packet);
}

UserData read_openstack(const Documents& documents, std::vector<Complaint>& complaints) {
  return read_plain(documents, complaints, "public_keys", "network", network_of_openstack);
}

// User data came later than custom data and can be changed; both are base64.
UserData read_azure(const Documents& documents, std::vector<Complaint>& complaints) {
  Reader reader{documents, complaints};
  const Json instance = reader.object("instance");
  const Json compute = member(instance, "compute");
  std::string hostname = text_of(member(compute, "osProfile"), "computerName");
  if (hostname.empty()) hostname = text_of(compute, "name");
  reader.set_hostname("instance", hostname);
  const Json keys = member(compute, "publicKeys");
  for (const auto& key : keys.is_array() ? keys : Json::array()) {
    reader.add_key("instance", text_of(key, "keyData"));
  }
  const Json interface = first_of_list(member(instance, "network"), "interface");
  const Json address = first_of_list(member(interface, "ipv4"), "ipAddress");
  Reader::set_address(reader.data.metadata.private_ipv4, text_of(address, "privateIpAddress"));
  Reader::set_address(reader.data.metadata.public_ipv4, text_of(address, "publicIpAddress"));
  for (const char* name : {"userData", "customData"}) {
    if (!reader.data.text.empty()) break;
    if (const auto bytes = decode_base64(text_of(compute, name))) {
      reader.data.text = *bytes;
    } else {
      reader.complain("instance", fmt::format("its {} is no base64", name));
    }
  }
  return std::move(reader.data);
}

}  // namespace ros
