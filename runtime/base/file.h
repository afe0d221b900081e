// Files and folders: the one alias for boost::filesystem, whole-file reading,
// atomic writing, temporary folders and locks.
#pragma once

#include <boost/filesystem.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/base/fd.h"

namespace ros {

namespace fs = boost::filesystem;

std::string read_file(const fs::path& path);                     // throws Error
std::optional<std::string> try_read_file(const fs::path& path);  // absent or unreadable: nothing

// Replaces `path` in one step: temporary file beside it, fsync, rename.
// Missing parent folders are made.
void write_file_atomically(const fs::path& path, std::string_view bytes, unsigned mode = 0644);
// The same, unless the file has these bytes already: a full disk takes what is no change.
void write_file_if_changed(const fs::path& path, std::string_view bytes, unsigned mode = 0644);
// Plain write for /proc, /sys and files on tmpfs; makes missing parent folders.
void write_file(const fs::path& path, std::string_view bytes, unsigned mode = 0644);

// A new folder inside `parent` (made when missing), removed with all its content.
class TempDir {
 public:
  explicit TempDir(const fs::path& parent = fs::temp_directory_path());
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

// Exclusive flock(2) on `path`, held until destruction. Blocks.
class FileLock {
 public:
  explicit FileLock(const fs::path& path);

 private:
  Fd fd_;
};

}  // namespace ros
