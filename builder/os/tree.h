// Tree: the builder's picture of a folder, and the vocabulary between stages.
//
// Paths, owners, modes and times are all explicit and live in memory; file
// content stays where it is (a range of a cached file) until a writer streams
// it out. So no root is needed, nothing is unpacked twice, and the order of
// entries (by path, bytewise) is the order of every archive we write.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

// `size` bytes at `offset` of `file`, which must outlive every use of the tree
// (it is a cache entry).
struct FileRange {
  fs::path file;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  bool operator==(const FileRange&) const = default;
};

class Content {
 public:
  Content() = default;  // empty
  Content(std::string bytes) : source_(std::move(bytes)) {}
  Content(FileRange range) : source_(std::move(range)) {}
  static Content whole_file(const fs::path& file);  // throws Error when absent

  std::uint64_t size() const;
  std::string read() const;  // all of it; throws Error
  // Calls sink(std::string_view) with successive pieces of at most 1 MiB.
  template <class Sink>
  void stream(Sink&& sink) const;
  bool operator==(const Content&) const = default;
  const std::variant<std::string, FileRange>& source() const { return source_; }

 private:
  std::variant<std::string, FileRange> source_;
};

enum class EntryType { directory, file, symlink, char_device, block_device };

struct Entry {
  EntryType type = EntryType::file;
  unsigned mode = 0644;  // permission bits with setuid, setgid, sticky; no type bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime = 0;  // seconds since 1970-01-01 UTC
  std::string target;      // symlink only
  unsigned major = 0;      // devices only
  unsigned minor = 0;
  Content content;  // file only
  bool operator==(const Entry&) const = default;
};

// Keys are relative paths without leading or trailing slash ("usr/bin/bash");
// the root itself is not an entry. Hard links of a package become equal files.
class Tree {
 public:
  using Entries = std::map<std::string, Entry, std::less<>>;

  const Entries& entries() const { return entries_; }
  const Entry* find(std::string_view path) const;  // nullptr when absent
  bool contains(std::string_view path) const { return find(path) != nullptr; }

  // Adds or replaces. Missing parent folders are added (0755, 0:0, the entry's
  // mtime). A folder replaced by a folder keeps its children. A parent that is
  // a symlink to a folder is followed ("lib/x" goes to "usr/lib/x" once
  // "lib" -> "usr/lib" is there), as tar would on a real system.
  void put(std::string_view path, Entry entry);
  void remove(std::string_view path);  // with everything below it
  // Puts every entry of `upper` over this one.
  void merge(const Tree& upper);
  // Resolves symlinks inside the tree; empty when something is missing.
  std::string resolve(std::string_view path) const;
  // Times later than `epoch` become `epoch`.
  void clamp_times(std::int64_t epoch);
  std::uint64_t content_bytes() const;

  // Convenience makers; mode and owner as usual for the kind.
  void put_file(std::string_view path, Content content, unsigned mode = 0644);
  void put_link(std::string_view path, std::string target);
  void put_directory(std::string_view path, unsigned mode = 0755);

  bool operator==(const Tree&) const = default;

 private:
  Entries entries_;
};

// Reads a real folder (as a layer's `files:`): modes 0755 for folders and
// executables, 0644 for other files, owner 0:0, time `mtime`; symlinks kept.
Tree read_tree(const fs::path& folder, std::int64_t mtime);
// Writes a tree into a real folder, owners ignored (for tools that need files).
void write_tree(const Tree& tree, const fs::path& folder);

namespace detail {
void stream_range(const FileRange& range, void (*call)(void*, std::string_view), void* sink);
}

template <class Sink>
void Content::stream(Sink&& sink) const {
  if (const auto* bytes = std::get_if<std::string>(&source_)) {
    if (!bytes->empty()) sink(std::string_view(*bytes));
    return;
  }
  // A plain function and a pointer, so that the loop over pieces stays out of this header.
  auto call = [&sink](std::string_view piece) { sink(piece); };
  detail::stream_range(
      std::get<FileRange>(source_),
      [](void* target, std::string_view piece) { (*static_cast<decltype(call)*>(target))(piece); },
      &call);
}

}  // namespace rosbuild
