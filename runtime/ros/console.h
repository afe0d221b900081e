// The parts of the console's set-up that are plain functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

// Is there once the console has applied keys, files and commands in this boot.
inline constexpr const char* kConsoleDone = "/run/ros/console-done";

// Terminals that get a getty: those of console=…, and those with autologin.
std::vector<std::string> getty_consoles(std::string_view command_line,
                                        const std::vector<std::string>& autologin);
std::vector<std::string> getty_command(const std::string& tty, bool autologin);

// Links /etc/ssh's host keys to those kept with the state, making what is not there. One of
// rancher.ssh.keys that is wrong is named in `problems`, and the kept one stays.
void prepare_host_keys(const Config& config, std::vector<std::string>& problems,
                       const fs::path& root = "/");
// What lets in rancher and docker: keys of the configuration and of the metadata.
void write_login_keys(const Config& config);
// rancher.password, unless rancher.disable has it.
void set_password(const Config& config);
std::vector<std::string> sshd_command(const Config& config);

}  // namespace ros
