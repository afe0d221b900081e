// The layout:
//
//   entries/<key>    complete, read-only by convention, never changed
//   locks/<key>      flock(2) of whoever makes it
//   staging/…        unfinished work; whatever lies here without an owner is
//                    rubbish of a killed process and is removed at start
//
// An entry is made in staging/ and gets its name by rename(2), after its bytes
// are on the disk; so a name always means a complete entry, whatever happened.
#include "builder/graph/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

void sync_filesystem(const fs::path& path) {
  const ros::Fd fd = ros::open_file(path.string(), O_RDONLY);
  if (::syncfs(fd.get()) != 0) throw ros::Error::from_errno("cannot write " + path.string());
}

void sync_entry(const fs::path& path) {
  if (fs::is_directory(path)) return sync_filesystem(path);
  const ros::Fd fd = ros::open_file(path.string(), O_RDONLY);
  if (::fsync(fd.get()) != 0) throw ros::Error::from_errno("cannot write " + path.string());
}

// Removes what killed builders left. A living one holds a lock on its folder.
void remove_rubbish(const fs::path& staging) {
  for (fs::directory_iterator it{staging}, end; it != end; ++it) {
    const ros::Fd fd{::open(it->path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    boost::system::error_code ignored;
    fs::remove_all(it->path(), ignored);
  }
}

}  // namespace

fs::path Cache::default_root() {
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg && *xdg == '/')
    return fs::path(xdg) / "rosbuild";
  if (const char* home = std::getenv("HOME"); home && *home)
    return fs::path(home) / ".cache/rosbuild";
  throw ros::Error{"neither XDG_CACHE_HOME nor HOME is set"}.hint(
      "set XDG_CACHE_HOME to a folder with some gigabytes of room");
}

Cache::Cache(fs::path root) : root_(std::move(root)) {
  for (const char* folder : {"entries", "locks", "staging"}) {
    boost::system::error_code failed;
    fs::create_directories(root_ / folder, failed);
    if (failed)
      throw ros::Error{fmt::format("cannot make the cache folder {}: {}", (root_ / folder).string(),
                                   failed.message())}
          .hint("set XDG_CACHE_HOME to a folder that you may write to");
  }
  // One process's folder in staging, locked as long as it lives.
  const ros::FileLock guard{root_ / "locks/staging"};
  remove_rubbish(root_ / "staging");
  std::string name = (root_ / "staging/XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw ros::Error::from_errno("cannot write to " + root_.string());
  staging_ = name;
  staging_lock_ = ros::open_file(name, O_RDONLY | O_DIRECTORY);
  if (::flock(staging_lock_.get(), LOCK_EX) != 0)
    throw ros::Error::from_errno("cannot lock " + name);
}

Cache::~Cache() {
  boost::system::error_code ignored;
  fs::remove_all(staging_, ignored);
}

std::optional<fs::path> Cache::find(const std::string& key) const {
  fs::path entry = root_ / "entries" / key;
  if (fs::exists(entry)) return entry;
  return std::nullopt;
}

fs::path Cache::get_or_make(const std::string& key,
                            const std::function<void(const fs::path& out)>& make) {
  if (auto hit = find(key)) return *hit;

  // One maker per key, across threads and processes: the loser of the race
  // waits here and then finds the winner's entry.
  const ros::FileLock lock{root_ / "locks" / key};
  if (auto hit = find(key)) return *hit;

  const ros::TempDir work{staging_};
  const fs::path out = work.path() / "out";
  make(out);
  if (!fs::exists(out)) throw ros::Error{"internal: the maker of a cache entry made nothing"};
  sync_entry(out);

  fs::path entry = root_ / "entries" / key;
  fs::rename(out, entry);
  return entry;
}

ros::TempDir Cache::scratch() const { return ros::TempDir{staging_}; }

Key::Key(std::string_view kind) : text_(std::string(kind) + "\n") {}

Key& Key::add(std::string_view name, std::string_view value) {
  // Quoted so that no value can be mistaken for two parts.
  text_ += fmt::format("{} {} {}\n", name, value.size(), value);
  return *this;
}

std::string Key::digest() const { return ros::sha256(text_); }

}  // namespace rosbuild
