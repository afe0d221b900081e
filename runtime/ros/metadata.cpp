#include "runtime/ros/metadata.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/ros/fetch.h"
#include "runtime/ros/network_data.h"
#include "runtime/ros/network_tree.h"

namespace ros {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxKeys = 64;

// --- documents ---------------------------------------------------------------

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
    Json json = Json::parse(text(name), nullptr, false);
    if (json.is_discarded()) {
      complain(name, "it is no JSON, or cut short");
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
  void set_network(const std::string& document,
                   Value (*convert)(const Value&, std::vector<std::string>&)) {
    if (!documents_.contains(document)) return;
    const auto tree = parse_json(text(document));
    if (!tree || !tree->is_map()) {
      // object() says so of the other documents.
      if (document == "network") complain(document, "it is no JSON object, or cut short");
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

// --- asking ------------------------------------------------------------------

std::string joined(std::string base, const std::string& path) {
  while (base.ends_with('/')) base.pop_back();
  return base + "/" + path;
}

class Asker {
 public:
  Asker(const MetadataService& service, const std::string& base, const Patience& patience)
      : service_(service), base_(base), patience_(patience) {
    how_.headers = service.headers;
  }

  Answer ask() && {
    if (!service_.token_header.empty()) fetch_token();
    for (const auto& document : service_.documents) {
      if (!answer_.reached) return std::move(answer_);
      if (silent_) break;
      get(document.name, document.path);
      if (document.name == "public-keys") get_listed_keys(document.path);
    }
    std::vector<Complaint> complaints;
    UserData data = service_.read(documents_, complaints);
    for (const auto& [document, what] : complaints) problem(urls_[document], what);
    const Metadata& metadata = data.metadata;
    if (!data.text.empty() || !metadata.hostname.empty() || !metadata.ssh_keys.empty() ||
        !data.network.is_null()) {
      data.source = fmt::format("{} at {}", service_.name, base_);
      answer_.data = std::move(data);
    }
    return std::move(answer_);
  }

 private:
  void problem(const std::string& url, std::string_view what) {
    answer_.problems.push_back(fmt::format("{} {}: {}", service_.name, url, what));
  }

  void note_absence(const Fetched& fetched) {
    answer_.reached = false;
    log::info(fmt::format("{} at {} is not there: {}", service_.name, base_, fetched.reason));
  }

  // Half of the time at most: a reply to a PUT may get lost on its way where one
  // to a GET does not (EC2 lets it live for one hop only).
  void fetch_token() {
    Fetch how = how_;
    how.method = "PUT";
    how.headers.emplace_back(service_.token_header + "-ttl-seconds", "300");
    try {
      const auto fetched =
          fetch(joined(base_, "latest/api/token"), how, patience_.at_most(patience_.left() / 2));
      const std::string token{trim(fetched.body)};
      const bool printable = std::all_of(token.begin(), token.end(),
                                         [](unsigned char c) { return c > ' ' && c < 0x7f; });
      if (!fetched.reached) {
        note_absence(fetched);
      } else if (fetched.status == 200 && !token.empty() && token.size() < 4096 && printable) {
        how_.headers.emplace_back(service_.token_header, token);
      }
    } catch (const Error& error) {
      log::info(fmt::format("{} gives no token: {}", service_.name, error.what()));
    }
  }

  void get(const std::string& name, const std::string& path) {
    const std::string url = urls_[name] = joined(base_, path);
    try {
      auto fetched = fetch(url, how_, patience_);
      if (!fetched.reached && documents_.empty()) {
        note_absence(fetched);
      } else if (!fetched.reached) {
        problem(url, fetched.reason);
      } else if (fetched.status == 200) {
        documents_[name] = std::move(fetched.body);
      } else if (fetched.status / 100 != 4) {
        problem(url, fmt::format("the server answered {}", fetched.status));
      }
    } catch (const Error& error) {
      problem(url, error.what());
      silent_ = error.kind() == Error::Kind::network;
    }
  }

  void get_listed_keys(const std::string& path) {
    const auto found = documents_.find("public-keys");
    if (found == documents_.end()) return;
    for (const auto& entry : listed_keys(std::string{found->second})) {
      if (!silent_) get("public-keys/" + entry, joined(path, entry + "/openssh-key"));
    }
  }

  const MetadataService& service_;
  const std::string& base_;
  const Patience& patience_;
  Answer answer_;  // not reached: nobody is there
  Fetch how_;
  Documents documents_;
  std::map<std::string, std::string> urls_;
  bool silent_ = false;  // somebody was, and does not answer any more
};

}  // namespace

const std::vector<MetadataService>& metadata_services() {
  static const auto ec2_like = [](const std::string& version, const std::string& hostname,
                                  const std::vector<std::string>& others) {
    std::vector<MetadataService::Document> documents{
        {"user-data", version + "/user-data"},
        {"hostname", version + "/meta-data/" + hostname},
        {"public-keys", version + "/meta-data/public-keys"}};
    for (const auto& name : others) documents.push_back({name, version + "/meta-data/" + name});
    return documents;
  };
  static const std::vector<std::string> addresses{"local-ipv4", "public-ipv4"};
  static const std::string local = "http://169.254.169.254";
  static const std::vector<MetadataService> services{
      {"ec2",
       local,
       {},
       ec2_like("latest", "hostname", {"local-ipv4", "public-ipv4", "ipv6", "instance-type"}),
       read_ec2,
       "X-aws-ec2-metadata-token"},
      // Called by its address: metadata.google.internal needs a resolver.
      {"gce",
       local,
       {{"Metadata-Flavor", "Google"}},
       {{"instance", "computeMetadata/v1/instance/?recursive=true"},
        {"project", "computeMetadata/v1/project/?recursive=true"}},
       read_gce,
       {}},
      {"digitalocean",
       local,
       {},
       {{"meta-data", "metadata/v1.json"}, {"user-data", "metadata/v1/user-data"}},
       read_digitalocean,
       {}},
      {"packet",
       "https://metadata.packet.net",
       {},
       {{"meta-data", "metadata"}, {"user-data", "userdata"}},
       read_packet,
       {}},
      {"cloudstack", {}, {}, ec2_like("latest", "local-hostname", addresses), read_ec2, {}},
      {"exoscale", local, {}, ec2_like("1.0", "local-hostname", addresses), read_ec2, {}},
      {"aliyun",
       "http://100.100.100.200",
       {},
       ec2_like("2016-01-01", "hostname", {"private-ipv4", "eipv4"}),
       read_ec2,
       "X-aliyun-ecs-metadata-token"},
      {"azure",
       local,
       {{"Metadata", "true"}},
       {{"instance", "metadata/instance?api-version=2021-02-01&format=json"}},
       read_azure,
       {}},
      {"openstack",
       local,
       {},
       {{"meta-data", "openstack/latest/meta_data.json"},
        {"user-data", "openstack/latest/user_data"},
        {"network", "openstack/latest/network_data.json"}},
       read_openstack,
       {}},
  };
  return services;
}

Answer ask_service(const MetadataService& service, const std::string& base,
                   const Patience& patience) {
  return Asker{service, base, patience}.ask();
}

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

namespace {

// The first disk: Xen's until the generation of 2017, NVMe since.
std::string ec2_disk(std::string_view type) {
  if (type.empty()) return {};
  for (const char* const xen : {"t1.", "t2.",  "m1.", "m2.", "m3.",  "m4.",  "c1.",  "c3.", "c4.",
                                "r3.", "r4.",  "i2.", "i3.", "d2.",  "g2.",  "g3.",  "p2.", "p3.",
                                "x1.", "x1e.", "f1.", "h1.", "hs1.", "cr1.", "cc2.", "g3s."}) {
    if (type.starts_with(xen) && !type.ends_with(".metal")) return "/dev/xvda";
  }
  return "/dev/nvme0n1";
}

Json first_of_list(const Json& json, const char* name) {
  const Json list = member(json, name);
  return list.is_array() && !list.empty() ? list[0] : Json{};
}

}  // namespace

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
  metadata.resize_device = ec2_disk(trim(reader.text("instance-type")));
  return std::move(reader.data);
}

// Keys are lines "USER:KEY", whose user does not matter here. One that has an
// end is left out: what is once in authorized_keys is never taken back.
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
  Reader reader{documents, complaints};
  read_common(reader, "public_keys");
  reader.set_network("meta-data", network_of_digitalocean);
  return std::move(reader.data);
}

UserData read_packet(const Documents& documents, std::vector<Complaint>& complaints) {
  Reader reader{documents, complaints};
  read_common(reader, "ssh_keys");
  reader.set_network("meta-data", network_of_packet);
  return std::move(reader.data);
}

UserData read_openstack(const Documents& documents, std::vector<Complaint>& complaints) {
  Reader reader{documents, complaints};
  read_common(reader, "public_keys");
  reader.set_network("network", network_of_openstack);
  return std::move(reader.data);
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
