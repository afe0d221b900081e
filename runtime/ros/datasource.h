// Where a machine gets its first configuration from: a disk that the hypervisor
// attached, a file, the metadata service of a cloud, or a URL.
//
// rancher.cloud_init.datasources lists sources as NAME or NAME:ARGUMENT:
//
//   configdrive, nocloud   disks with the label config-2 or cidata (seed.h)
//   proxmox                the same as nocloud, or any CD with a user-data on it
//   vmware[:OVF_ENV]       guestinfo, an OVF environment (guestinfo.h)
//   file:PATH
//   ec2, gce, …[:BASE]     services of metadata.h; BASE replaces "http://ADDRESS"
//   url:URL                http or https
//   tftp:HOST[:PORT]/PATH
//   cmdline                cloud-config-url=URL on the kernel command line
//   *                      those that a box may have without being told of it
//
// On Exoscale, Proxmox and VMware, known by what the firmware says, their own
// source is asked without being listed.
//
// Among those that need no network the first listed that is there wins, and it
// wins over all that need one: the boot does not wait for a network it may not
// have. Those that do need one are asked side by side, again and again while
// nobody can be reached, for rancher.cloud_init.wait seconds in all; the first
// listed that is there wins. After that the boot goes on without.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/config/load.h"
#include "runtime/ros/user_data.h"

namespace ros {

// "" is: not said.
struct Metadata {
  std::string hostname;
  std::vector<std::string> ssh_keys;
  std::string public_ipv4;
  std::string private_ipv4;
  std::string public_ipv6;
  std::string private_ipv6;
};

struct UserData {
  std::string source;  // "NoCloud on /dev/sr0", for the log
  std::string text;    // as it was given; user_data.h takes it apart
  Metadata metadata;
  Value network;  // as rancher.network, null when nothing is said of it
};

inline constexpr std::chrono::seconds kNetworkWait{10};

struct NetworkOptions {
  std::optional<std::chrono::milliseconds> wait = {};  // instead of the configured one
  fs::path root = "/";  // whose command line, DHCP leases and firmware count
};

// Sources that need no network, and those that do. Neither throws: what is wrong
// with a source (a disk that cannot be read, no JSON, an unknown name) is added
// to `problems`; that a service is not there is none.
std::optional<UserData> fetch_local_user_data(const Config& config,
                                              std::vector<std::string>& problems,
                                              const fs::path& root = "/");
std::optional<UserData> fetch_network_user_data(const Config& config,
                                                std::vector<std::string>& problems,
                                                const NetworkOptions& options = {});

// Is there any that needs the network, so that waiting for it makes sense?
bool has_network_sources(const Config& config, const fs::path& root = "/");

// NAME=VALUE of rancher.network's proxies, for the environment of curl.
std::vector<std::string> proxies_of(const Config& config);

// Gets what user-data includes, through the configured proxies; all together
// within the wait from now on.
FetchUrl include_fetcher(const Config& config, const NetworkOptions& options = {});

// Keeps it for this boot and, when there is a state partition, the next ones:
// cloud-config.d/boot.yml, cloud-config.d/network.yml, cloud-config-script (which
// runs those in cloud-config-scripts when there are several), and metadata.
// Includes are left out without `fetch`; when the same user-data was saved with
// them before, that stays. A script or a cloud-config of an earlier user-data is
// removed when this one, with its includes, has none.
void save_user_data(const UserData& data, std::vector<std::string>& problems,
                    const fs::path& root = "/", const FetchUrl& fetch = {});

Metadata load_metadata(const fs::path& root = "/");

inline constexpr const char* kDhcpHostname = "run/ros/dhcp-hostname";  // by `ros dhcp-hook`

// The configured host name, else that of the metadata, of DHCP, the default.
std::string hostname_of(const Config& config, const Metadata& metadata, const fs::path& root = "/");

}  // namespace ros
