#include "runtime/ros/seed.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>

#include <algorithm>
#include <map>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/fetch.h"
#include "runtime/ros/label.h"
#include "runtime/ros/metadata.h"
#include "runtime/ros/network_data.h"
#include "runtime/ros/network_tree.h"

namespace ros {
namespace {

constexpr const char* kShare = "config-2";  // both a label and a 9p tag

// A file system mounted read-only for as long as this lives.
class Mounted {
 public:
  // A device, or the tag of a folder that the hypervisor shares.
  enum class Kind { device, share };

  explicit Mounted(const std::string& source, Kind kind = Kind::device)
      : path_("/run/ros/datasource") {
    fs::create_directories(path_);
    if (kind == Kind::share) {
      if (mount(source, "9p", "trans=virtio,version=9p2000.L")) return;
    } else {
      for (const char* type : {"iso9660", "vfat", "ext4"}) {
        if (mount(source, type, nullptr)) return;
      }
    }
    throw Error::from_errno("cannot mount " + source);
  }
  Mounted(const Mounted&) = delete;
  ~Mounted() { ::umount2(path_.c_str(), MNT_DETACH); }
  const fs::path& path() const { return path_; }

 private:
  bool mount(const std::string& source, const char* type, const char* options) const {
    constexpr unsigned long kFlags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    return ::mount(source.c_str(), path_.c_str(), type, kFlags, options) == 0;
  }

  fs::path path_;
};

using ReadFolder = UserData (*)(const fs::path&, std::vector<std::string>&);

std::optional<UserData> read_mounted(const std::string& source, Mounted::Kind how,
                                     const std::string& kind, ReadFolder read,
                                     std::vector<std::string>& problems) {
  try {
    const Mounted disk{source, how};
    UserData data = read(disk.path(), problems);
    data.source = fmt::format("{} on {}", kind, source);
    return data;
  } catch (const std::exception& error) {
    problems.push_back(fmt::format("{}: {}", kind, error.what()));
    return std::nullopt;
  }
}

std::optional<UserData> from_folder(const fs::path& folder, const char* file,
                                    const std::string& kind, ReadFolder read,
                                    std::vector<std::string>& problems) {
  boost::system::error_code absent;
  if (folder.empty() || !fs::exists(folder / file, absent)) return std::nullopt;
  UserData data = read(folder, problems);
  data.source = fmt::format("{} in {}", kind, folder.string());
  return data;
}

// Does the hypervisor share a folder by this tag? (Linux, drivers/virtio, net/9p)
bool has_share(const std::string& tag) {
  boost::system::error_code ignored;
  for (fs::directory_iterator it{"/sys/bus/virtio/drivers/9pnet_virtio", ignored}, end; it != end;
       it.increment(ignored)) {
    const auto text = try_read_file(it->path() / "mount_tag");
    if (text && trim(std::string_view{text->c_str()}) == tag) return true;
  }
  return false;
}

// Keys come as a list, or as a map of names to keys or to maps with one; those
// that have names are put in their order.
std::vector<std::string> keys_of(const Value* value) {
  if (!value) return {};
  std::vector<std::string> keys = value->as_texts();
  auto members = value->members();
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& member : members) {
    if (member.second.is_scalar()) keys.push_back(member.second.text());
    if (const Value* nested = member.second.find("openssh-key")) keys.push_back(nested->text());
  }
  return keys;
}

Value parse_document(std::string_view text, const std::string& file,
                     std::vector<std::string>& problems) {
  try {
    return parse_yaml(text, file);
  } catch (const Error& error) {
    problems.emplace_back(error.what());
    return {};
  }
}

}  // namespace

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

Metadata parse_metadata(std::string_view text, const std::string& file,
                        std::vector<std::string>& problems) {
  const Value tree = parse_document(text, file, problems);
  Metadata metadata;
  metadata.hostname = member_text(tree, "local-hostname");
  if (metadata.hostname.empty()) metadata.hostname = member_text(tree, "hostname");
  metadata.ssh_keys = keys_of(tree.find("public-keys"));
  return metadata;
}

UserData read_nocloud(const fs::path& folder, std::vector<std::string>& problems) {
  UserData data;
  data.text = read_document(folder / "user-data", problems);
  data.metadata =
      parse_metadata(read_document(folder / "meta-data", problems), "meta-data", problems);
  const Value network = parse_document(read_document(folder / "network-config", problems),
                                       "network-config", problems);
  std::vector<std::string> complaints;
  data.network = network_of_cloud_init(network, complaints);
  for (const auto& complaint : complaints) problems.push_back("network-config: " + complaint);
  return data;
}

UserData read_config_drive(const fs::path& folder, std::vector<std::string>& problems) {
  const fs::path latest = folder / "openstack" / "latest";
  const std::map<std::string, std::string> files{{"user-data", "user_data"},
                                                 {"meta-data", "meta_data.json"},
                                                 {"network", "network_data.json"}};
  Documents documents;
  boost::system::error_code absent;
  for (const auto& [name, file] : files) {
    if (fs::exists(latest / file, absent)) documents[name] = read_document(latest / file, problems);
  }
  std::vector<Complaint> complaints;
  UserData data = read_openstack(documents, complaints);
  for (const auto& complaint : complaints) {
    problems.push_back(
        fmt::format("config drive: {}: {}", files.at(complaint.document), complaint.what));
  }
  return data;
}

std::optional<UserData> fetch_config_drive(const std::string& folder,
                                           std::vector<std::string>& problems) {
  if (auto data = from_folder(folder, "openstack", "config drive", read_config_drive, problems))
    return data;
  if (const std::string device = find_by_label(kShare); !device.empty()) {
    return read_mounted(device, Mounted::Kind::device, "config drive", read_config_drive, problems);
  }
  if (!has_share(kShare)) return std::nullopt;
  return read_mounted(kShare, Mounted::Kind::share, "config drive", read_config_drive, problems);
}

std::optional<UserData> fetch_nocloud(const std::string& folder,
                                      std::vector<std::string>& problems) {
  if (auto data = from_folder(folder, "user-data", "NoCloud", read_nocloud, problems)) return data;
  const std::string device = find_by_label("cidata");
  if (device.empty()) return std::nullopt;
  return read_mounted(device, Mounted::Kind::device, "NoCloud", read_nocloud, problems);
}

// Proxmox labels its drive cidata; one made by hand may have any label.
std::optional<UserData> fetch_proxmox(const std::string& folder,
                                      std::vector<std::string>& problems) {
  if (auto data = fetch_nocloud(folder, problems)) return data;
  constexpr const char* kDrive = "/dev/sr0";
  if (const Fd medium{::open(kDrive, O_RDONLY | O_CLOEXEC)}; !medium) return std::nullopt;
  std::vector<std::string> ignored;  // a CD with something else
  auto data = read_mounted(kDrive, Mounted::Kind::device, "Proxmox", read_nocloud, ignored);
  if (data && trim(data->text).empty() && data->network.is_null()) return std::nullopt;
  return data;
}

std::optional<UserData> fetch_file(const std::string& path, std::vector<std::string>& problems) {
  std::string text = read_document(path, problems);
  if (trim(text).empty()) return std::nullopt;
  return UserData{"file " + path, std::move(text), {}, {}};
}

std::string read_from_disk(const std::string& label, const std::string& file,
                           std::vector<std::string>& problems) {
  const std::string device = find_by_label(label);
  if (device.empty()) return {};
  try {
    return read_document(Mounted{device}.path() / file, problems);
  } catch (const Error& error) {
    problems.emplace_back(error.what());
    return {};
  }
}

}  // namespace ros
