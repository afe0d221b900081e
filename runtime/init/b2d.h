// Disks of docker-machine: boot2docker's convention, which its drivers still write.
// An empty disk begins with a tar whose first name asks to be formatted; the tar, of
// at most 8192 bytes, holds the key that docker-machine logs in with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/file.h"

namespace ros {

inline constexpr const char* kB2dLabel = "B2D_STATE";

// Starts with the magic, and has nothing but zeros behind the tar, as far as its first
// and last MiB tell. False for what cannot be read.
bool is_b2d_disk(const fs::path& disk);

// The lines of .ssh/authorized_keys and of .ssh/*.pub in that tar, each once. A tar
// that is cut short or wrong gives what was whole.
std::vector<std::string> b2d_keys(std::string_view tar);

// The tar of a disk.
std::string b2d_tar(const fs::path& disk);

// cloud-config.d/machine.yml with these keys, below the folder `conf`.
void write_machine_config(const std::vector<std::string>& keys, const fs::path& conf);

}  // namespace ros
