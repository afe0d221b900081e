// Settings of the configuration that are applied to the kernel and to /etc.
#pragma once

#include <string>

#include "runtime/config/load.h"

namespace ros {

void apply_hostname(const std::string& name);  // kernel, /etc/hostname, /etc/hosts
void apply_sysctl(const Config& config, std::vector<std::string>& problems);
void load_modules(const Config& config, std::vector<std::string>& problems);
void bring_up_loopback();

// write_files entries for `container` ("" and "console" mean the same), below `root`. Owners are
// numbers, or names of its /etc, where it has one, or of this system.
void write_files(const Config& config, const std::string& container,
                 std::vector<std::string>& problems, const fs::path& root = "/");

// content of a write_files entry; throws Error for a bad encoding.
std::string decode_content(const std::string& content, const std::string& encoding);

}  // namespace ros
