// Settings of the configuration that are applied to the kernel and to /etc.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "runtime/config/load.h"

namespace ros {

// A file that people may write; rancher.docker counts more.
inline constexpr const char* kDaemonJson = "/etc/docker/daemon.json";

void apply_hostname(const std::string& name);  // kernel, /etc/hostname, /etc/hosts
// The lines of /etc/hosts with `name` at 127.0.1.1, after what else it says.
std::string hosts_with(const std::string& name, std::string_view hosts);
// Sets what can be set, and returns what is wrong with the rest.
std::vector<std::string> apply_sysctl(const Config& config);
void load_modules(const Config& config, std::vector<std::string>& problems);
void bring_up_loopback();

// write_files entries for `container` ("" and "console" mean the same), below `root`. Owners are
// numbers, or names of its /etc, where it has one, or of this system.
void write_files(const Config& config, const std::string& container,
                 std::vector<std::string>& problems, const fs::path& root = "/");

// Those entries that user Docker reads at its start: the console, which writes the others, may come
// later. It writes these again and says what is wrong with them.
void write_docker_files(const Config& config, const fs::path& root = "/");
// Services that write_files has entries for.
std::set<std::string> containers_with_files(const Config& config);

// content of a write_files entry; throws Error for a bad encoding.
std::string decode_content(const std::string& content, const std::string& encoding);

}  // namespace ros
