// The configuration of the running system, put together from its layers:
// os-config.yml, os-config.d/*.yml, platform.yml, oem-config.yml, cloud-config.d/*.yml,
// cloud-config.yml, kernel command line. In files of cloud-config.d and in cloud-config.yml
// $public_ipv4, $private_ipv4, $public_ipv6 and $private_ipv6 stand for what the metadata says.
// Derived from the whole, where nothing else is set: proxies in rancher.environment, EXTRA_CMDLINE,
// debug of the engines.
//
// A layer that is wrong in part counts with the rest; its problems are kept for
// the console. Nothing here throws because of what a user wrote.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/cmdline.h"
#include "runtime/base/file.h"
#include "runtime/config/value.h"

namespace ros {

struct Config {
  Value tree = Value::map();
  std::vector<std::string> problems;  // "file:line:col: what is wrong"
  std::vector<std::string> lost;      // paths of what was wrong; "" is a whole layer

  const Value* find(std::string_view path) const { return tree.find_path(path); }
  std::string text(std::string_view path, std::string_view otherwise = {}) const;
  bool flag(std::string_view path, bool otherwise = false) const;
  std::int64_t integer(std::string_view path, std::int64_t otherwise) const;
  std::vector<std::string> texts(std::string_view path) const;
  // For what must not be weaker because of a mistake: throws Error (kind input) with all problems
  // when `path`, what is around it or below it may be lost.
  void require_whole(std::string_view path) const;
  // name -> value, of a map or of a list of "name=value".
  std::vector<std::pair<std::string, std::string>> pairs(std::string_view path) const;
};

std::vector<std::pair<std::string, std::string>> as_pairs(const Value& value);

inline constexpr const char* kOsConfig = "usr/share/ros/os-config.yml";
inline constexpr const char* kOsConfigFolder = "usr/share/ros/os-config.d";  // of layers
inline constexpr const char* kPlatformConfig = "usr/share/ros/platform.yml";
inline constexpr const char* kOemConfig = "usr/share/ros/oem/oem-config.yml";
inline constexpr const char* kConfigFolder = "var/lib/rancher/conf";

// What `layers` takes in; `root` is prefixed to the paths above.
struct ConfigLayers {
  bool defaults = true;  // os-config.yml, os-config.d/*.yml, platform.yml, oem-config.yml
  bool command_line = true;
};

Config load_config(const fs::path& root = "/", ConfigLayers layers = {});

// Does a file of /var/lib/rancher/conf say it, and not the image, the OEM partition or the command
// line?
bool is_of_users(const Value& value);

// One layer: parses, validates, merges into `config`, keeps the problems.
void add_layer(Config& config, std::string_view text, const std::string& file);

// rancher.* and cc.* of a kernel command line as a tree.
Value parse_command_line(const Cmdline& line);

// Changes the user's own layer (cloud-config.yml) with `change` and writes it in
// one step. Refuses (Error, kind input) what does not validate afterwards, or
// when the file that is there cannot be read.
void change_user_config(const std::function<void(Value&)>& change, const fs::path& root = "/");
void set_user_config(std::string_view path, Value value, const fs::path& root = "/");
void merge_user_config(const Value& over, const fs::path& root = "/");

}  // namespace ros
