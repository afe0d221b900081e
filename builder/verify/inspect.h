// Looks into an artifact with libguestfs, a reader that shares no code with our
// writers. Slow: it starts a small virtual machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

struct FoundFile {
  std::string path;    // "/layers/base-….squashfs"
  std::string sha256;  // of regular files
};

struct FoundFilesystem {
  std::string device;  // "/dev/sda3"; "/dev/sda" is the whole artifact, as of an ISO
  std::string type;    // "ext4", "vfat", "iso9660", "unknown" …
  std::string label;
  std::string uuid;
  std::vector<FoundFile> files;  // sorted
};

struct FoundPartition {
  int number = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::string type;  // GUID, GPT only
};

struct Inspection {
  std::string table;  // "gpt", "msdos" or empty
  std::vector<FoundPartition> partitions;
  std::vector<FoundFilesystem> filesystems;
};

// `format`: QEMU's name. Opens read-only. Throws ros::Error (kind tool).
Inspection inspect(const fs::path& artifact, const std::string& format);

}  // namespace rosbuild
