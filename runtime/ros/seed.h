// Disks and folders that carry a configuration: config drives, NoCloud seeds,
// plain files. Bytes of a disk come from a hypervisor: bounded, never trusted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/ros/datasource.h"

namespace ros {

// What the files in a folder say: OpenStack's openstack/latest (meta_data.json,
// network_data.json, user_data); cloud-init's meta-data, network-config, user-data.
UserData read_config_drive(const fs::path& folder, std::vector<std::string>& problems);
UserData read_nocloud(const fs::path& folder, std::vector<std::string>& problems);

// Each looks for its disk, or into `folder` when that is given and there. Nothing
// when there is none; what is wrong with one that is there is added to `problems`.
std::optional<UserData> fetch_config_drive(const std::string& folder,
                                           std::vector<std::string>& problems);
std::optional<UserData> fetch_nocloud(const std::string& folder,
                                      std::vector<std::string>& problems);
std::optional<UserData> fetch_proxmox(const std::string& folder,
                                      std::vector<std::string>& problems);
std::optional<UserData> fetch_file(const std::string& path, std::vector<std::string>& problems);

// The text of a file, "" when there is none. One larger than kMaxDocument is a problem.
std::string read_document(const fs::path& file, std::vector<std::string>& problems);
// The same of a file on the disk with this label.
std::string read_from_disk(const std::string& label, const std::string& file,
                           std::vector<std::string>& problems);

// "meta-data" of NoCloud and of guestinfo, YAML: local-hostname, public-keys.
Metadata parse_metadata(std::string_view text, const std::string& file,
                        std::vector<std::string>& problems);

}  // namespace ros
