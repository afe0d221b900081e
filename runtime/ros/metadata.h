// The metadata services of clouds: one table of where each answers and what it
// serves, and for each format a pure function from documents to UserData.
//
// A service counts when it says anything: user-data, a host name or a key.
// Documents are at most 1 MiB (kMaxDocument), user-data among them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/patience.h"
#include "runtime/engine/http.h"
#include "runtime/ros/datasource.h"
#include "runtime/ros/side_by_side.h"

namespace ros {

using Documents = std::map<std::string, std::string>;  // by the names in the table

// What is wrong with a document, by its name. The others count.
struct Complaint {
  std::string document;
  std::string what;
};

using ReadDocuments = UserData (*)(const Documents&, std::vector<Complaint>&);

struct MetadataService {
  struct Document {
    std::string name;
    std::string path;  // behind the base URL
  };

  std::string name;  // as in rancher.cloud_init.datasources
  std::string base;  // "http://ADDRESS"; "" when only the network knows (cloudstack)
  Headers headers;
  std::vector<Document> documents;
  ReadDocuments read;
  // Services that want a token for each session: PUT latest/api/token gives it.
  // One that has no such path is asked without (IMDSv1).
  std::string token_header;
};

const std::vector<MetadataService>& metadata_services();

// Asks `service` at `base`. No data when nobody is there (not reached) or has
// anything to say (4xx). Problems name the service and the URL. Does not throw
// because of what a service does; 429 and 5xx are tried again while the patience lasts.
Answer ask_service(const MetadataService& service, const std::string& base,
                   const Patience& patience);

// "user-data", "hostname", "public-keys" and "public-keys/…" as lines of text, and
// addresses: ec2 and those who copied it (cloudstack, exoscale, aliyun).
UserData read_ec2(const Documents& documents, std::vector<Complaint>& complaints);
// "instance" and "project", JSON.
UserData read_gce(const Documents& documents, std::vector<Complaint>& complaints);
// "meta-data", JSON, and "user-data"; openstack has its "network" apart.
UserData read_digitalocean(const Documents& documents, std::vector<Complaint>& complaints);
UserData read_packet(const Documents& documents, std::vector<Complaint>& complaints);
UserData read_openstack(const Documents& documents, std::vector<Complaint>& complaints);
// "instance", JSON.
UserData read_azure(const Documents& documents, std::vector<Complaint>& complaints);

// The folders that an ec2-like "public-keys" lists: "0=name" and "0/" give "0".
std::vector<std::string> listed_keys(const std::string& listing);

}  // namespace ros
