#include "runtime/ros/metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/ros/fetch.h"

namespace ros {
namespace {

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
       ec2_like("latest", "hostname", {"local-ipv4", "public-ipv4", "ipv6"}),
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

}  // namespace ros
