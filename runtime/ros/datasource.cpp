#include "runtime/ros/datasource.h"

#include <fmt/format.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/ros/label.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

constexpr const char* kScript = "cloud-config-script";

// A file system mounted read-only for as long as this lives.
class Mounted {
 public:
  explicit Mounted(const std::string& device) : path_("/run/ros/datasource") {
    fs::create_directories(path_);
    for (const char* type : {"iso9660", "vfat", "ext4"}) {
      if (::mount(device.c_str(), path_.c_str(), type, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
                  nullptr) == 0) {
        return;
      }
    }
    throw Error::from_errno("cannot mount " + device);
  }
  Mounted(const Mounted&) = delete;
  ~Mounted() { ::umount2(path_.c_str(), MNT_DETACH); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string decompressed(std::string text, std::vector<std::string>& problems) {
  if (!text.starts_with("\x1f\x8b")) return text;
  try {
    return capture({"gzip", "-dc"}, text);
  } catch (const Error& error) {
    problems.push_back(fmt::format("user data cannot be decompressed: {}", error.what()));
    return {};
  }
}

Value parse_metadata(const fs::path& file, std::vector<std::string>& problems) {
  const auto text = try_read_file(file);
  if (!text) return {};
  try {
    return parse_yaml(*text, file.filename().string());  // JSON is YAML
  } catch (const Error& error) {
    problems.emplace_back(error.what());
    return {};
  }
}

// Keys come as a list, or as a map of names to keys or to maps with one.
std::vector<std::string> keys_of(const Value* value) {
  std::vector<std::string> keys;
  if (!value) return keys;
  keys = value->as_texts();
  for (const auto& member : value->members()) {
    if (member.second.is_scalar()) keys.push_back(member.second.text());
    if (const Value* nested = member.second.find("openssh-key")) keys.push_back(nested->text());
  }
  return keys;
}

std::string text_of(const Value& value, std::string_view key) {
  const Value* member = value.find(key);
  return member ? member->text() : std::string{};
}

std::optional<UserData> from_disk(const std::string& label, const std::string& kind,
                                  UserData (*read)(const fs::path&, std::vector<std::string>&),
                                  std::vector<std::string>& problems) {
  const std::string device = find_by_label(label);
  if (device.empty()) return std::nullopt;
  try {
    const Mounted disk{device};
    UserData data = read(disk.path(), problems);
    data.source = fmt::format("{} on {}", kind, device);
    return data;
  } catch (const Error& error) {
    problems.push_back(fmt::format("{}: {}", kind, error.what()));
    return std::nullopt;
  }
}

}  // namespace

UserData read_nocloud(const fs::path& folder, std::vector<std::string>& problems) {
  UserData data;
  data.text = decompressed(try_read_file(folder / "user-data").value_or(""), problems);
  const Value meta = parse_metadata(folder / "meta-data", problems);
  data.metadata.hostname = text_of(meta, "local-hostname");
  if (data.metadata.hostname.empty()) data.metadata.hostname = text_of(meta, "hostname");
  data.metadata.ssh_keys = keys_of(meta.find("public-keys"));
  return data;
}

UserData read_config_drive(const fs::path& folder, std::vector<std::string>& problems) {
  UserData data;
  const fs::path latest = folder / "openstack" / "latest";
  data.text = decompressed(try_read_file(latest / "user_data").value_or(""), problems);
  const Value meta = parse_metadata(latest / "meta_data.json", problems);
  data.metadata.hostname = text_of(meta, "hostname");
  data.metadata.ssh_keys = keys_of(meta.find("public_keys"));
  return data;
}

std::optional<UserData> fetch_user_data(const Config& config, std::vector<std::string>& problems) {
  for (const auto& source : config.texts("rancher.cloud_init.datasources")) {
    const std::string name = split(source, ':').front();
    std::optional<UserData> data;
    if (name == "configdrive") {
      data = from_disk("config-2", "config drive", read_config_drive, problems);
    } else if (name == "nocloud") {
      data = from_disk("cidata", "NoCloud", read_nocloud, problems);
    } else {
      problems.push_back(fmt::format("rancher.cloud_init.datasources: unknown source {}", name));
    }
    if (data) return data;
  }
  return std::nullopt;
}

void save_user_data(const UserData& data, std::vector<std::string>& problems,
                    const fs::path& root) {
  const fs::path folder = root / kConfigFolder;
  fs::create_directories(folder / "cloud-config.d");
  const std::string_view text = data.text;
  if (text.starts_with("#!")) {
    write_file_atomically(folder / kScript, text, 0700);
  } else if (text.starts_with("#compose")) {
    Value tree = Value::map();
    try {
      tree.set_path("rancher.services", parse_yaml(text, data.source));
      write_file_atomically(folder / "cloud-config.d" / "boot.yml", to_yaml(tree), 0600);
    } catch (const Error& error) {
      problems.emplace_back(error.what());
    }
  } else if (text.starts_with("Content-Type:") || text.starts_with("MIME-Version:")) {
    problems.push_back(data.source + ": user data in several parts (MIME) is not understood");
  } else if (!trim(text).empty()) {
    write_file_atomically(folder / "cloud-config.d" / "boot.yml", text, 0600);
  }
  Value metadata = Value::map();
  metadata.set("hostname", Value::scalar(data.metadata.hostname, false));
  metadata.set("ssh_keys", Value::texts(data.metadata.ssh_keys));
  write_file_atomically(folder / "metadata", to_yaml(metadata), 0600);
}

Metadata load_metadata(const fs::path& root) {
  Metadata metadata;
  std::vector<std::string> ignored;
  const Value tree = parse_metadata(root / kConfigFolder / "metadata", ignored);
  metadata.hostname = text_of(tree, "hostname");
  if (const Value* keys = tree.find("ssh_keys")) metadata.ssh_keys = keys->as_texts();
  return metadata;
}

std::string hostname_of(const Config& config, const Metadata& metadata) {
  std::string name = config.text("hostname");
  if (name.empty()) name = metadata.hostname;
  if (name.empty()) name = config.text("rancher.defaults.hostname", "rancher");
  return name;
}

}  // namespace ros
