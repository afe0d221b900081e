// Where a machine gets its first configuration from: a disk that the
// hypervisor attached (config drive of OpenStack, NoCloud).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/config/load.h"

namespace ros {

struct Metadata {
  std::string hostname;
  std::vector<std::string> ssh_keys;
};

struct UserData {
  std::string source;  // "NoCloud on /dev/sr0", for the log
  std::string text;    // cloud-config or script, decompressed
  Metadata metadata;
};

// Tries the sources that rancher.cloud_init.datasources names, in order.
// Problems (a disk that cannot be read) are added to `problems`.
std::optional<UserData> fetch_user_data(const Config& config, std::vector<std::string>& problems);

// What the files of a mounted NoCloud or config drive say; used by the above.
UserData read_nocloud(const fs::path& folder, std::vector<std::string>& problems);
UserData read_config_drive(const fs::path& folder, std::vector<std::string>& problems);

// Keeps it for this boot and, when there is a state partition, the next ones:
// cloud-config.d/boot.yml or cloud-config-script, and metadata.
void save_user_data(const UserData& data, std::vector<std::string>& problems,
                    const fs::path& root = "/");

Metadata load_metadata(const fs::path& root = "/");

// The configured host name, else that of the metadata, else the default.
std::string hostname_of(const Config& config, const Metadata& metadata);

}  // namespace ros
