// Content-addressed store in $XDG_CACHE_HOME/rosbuild (or ~/.cache/rosbuild).
//
// entries/<key> is a file or folder that was complete when it got its name; a
// key is the digest of everything that went into making it, so an entry never
// changes. Safe for several threads and several rosbuild processes at once,
// and against kill -9 and a loss of power: the next start removes what may be cut short. An entry's
// time of change says when it was last used.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

class Cache {
 public:
  // Also removes what killed builders left behind.
  explicit Cache(fs::path root = default_root());
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  static fs::path default_root();

  const fs::path& root() const { return root_; }
  std::optional<fs::path> find(const std::string& key) const;
  // Returns the entry for `key`; when absent calls make(out), which must create
  // a file or folder at `out`. One maker per key, across processes; who waits for another throws
  // Cancelled on a stop. What make throws travels on, and nothing is stored.
  fs::path get_or_make(const std::string& key, const std::function<void(const fs::path& out)>& make,
                       const std::stop_token& stop = {});
  // Exclusive lock of that name among all who use the cache, until it is closed. Throws Cancelled
  // on a stop, since others may have it for minutes.
  ros::Fd lock(const std::string& name, const std::stop_token& stop) const;
  // Removes entries until at most `limit` bytes of disk are taken, those first that have not been
  // used for longest; no path of an entry may be used afterwards. Does nothing as long as another
  // process works with the cache, or when nothing was made since it was opened and the limit is
  // the one of the last time: then it is as small as it was. Returns the bytes that were freed.
  std::uint64_t collect(std::uint64_t limit);
  // Unnamed scratch space on the cache's filesystem.
  ros::TempDir scratch() const;

 private:
  fs::path root_;
  fs::path staging_;  // this process's folder, locked while it lives
  ros::Fd staging_lock_;
  ros::Fd users_;  // shared lock of everybody who may hold a path of an entry
  std::atomic<bool> made_ = false;
};

// Builds a key: a canonical text of named parts, one per line, then its SHA-256.
class Key {
 public:
  explicit Key(std::string_view kind);  // "layer 3": bump the number when the maker changes
  Key& add(std::string_view name, std::string_view value);
  std::string digest() const;

 private:
  std::string text_;
};

}  // namespace rosbuild
