// A console out of an OCI image.
//
// Of the image it takes the shell and whatever a person installs. sshd, getty, accounts and keys
// are the system's, which lies at /host: they run with that as their root, and each login goes
// back into the image (sshd's ChrootDirectory, `ros console-login`). So any image will do.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/ros/account_files.h"

namespace ros {

inline constexpr const char* kHost = "/host";
// The folder that is the console's root for those whose own root is /host.
inline constexpr const char* kConsoleRoot = "/run/ros/console-root";

// Is this process in such a console, and outside of /host?
bool in_console_image();
// From here on the system's files are the root.
void enter_host();
// The command run so.
std::vector<std::string> in_host(std::vector<std::string> argv);

// Throws Error when the image at `root` has no shell that runs here.
void check_console_image();
// The people of the system with their groups, as accounts to be added to an image's.
AccountFiles people_of(AccountFiles files);
// Makes in the image what a login needs: accounts, /bin/bash, and, where it has none of its own,
// sudo, docker, system-docker, reboot and their like in /usr/local/bin. What the configuration took
// from people (a group, a rule of sudo) goes from the image too.
void prepare_console_image(const fs::path& root, const fs::path& host);

}  // namespace ros
