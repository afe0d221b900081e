// The layout:
//
//   entries/<key>    complete, read-only by convention, never changed
//   locks/<key>      flock(2) of whoever makes it
//   locks/users      shared flock(2) of every process that uses the cache
//   staging/…        unfinished work; whatever lies here without an owner is
//                    rubbish of a killed process and is removed at start
//
// An entry is made in staging/ and gets its name by rename(2), after its bytes
// are on the disk; so a name always means a complete entry, whatever happened.
//
// A path that was handed out stays valid while its process runs: whoever collects has the cache
// for itself, or does not collect. Waiting would be no use, since the next build collects as well.
#include "builder/graph/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

struct Used {
  fs::path path;
  timespec last;
  std::uint64_t bytes = 0;  // on the disk
};

std::uint64_t size_on_disk(const fs::path& path) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0) return 0;
  std::uint64_t bytes = static_cast<std::uint64_t>(status.st_blocks) * 512;
  if (S_ISDIR(status.st_mode))
    for (fs::directory_iterator it{path}, end; it != end; ++it) bytes += size_on_disk(it->path());
  return bytes;
}

// Least recently used first.
std::vector<Used> by_last_use(const fs::path& entries) {
  std::vector<Used> all;
  for (fs::directory_iterator it{entries}, end; it != end; ++it) {
    struct stat status = {};
    if (::lstat(it->path().c_str(), &status) != 0) continue;
    all.push_back({it->path(), status.st_mtim, size_on_disk(it->path())});
  }
  std::ranges::sort(all, {}, [](const Used& used) {
    return std::pair{used.last.tv_sec, used.last.tv_nsec};
  });
  return all;
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
  users_ = ros::open_file((root_ / "locks/users").string(), O_RDWR | O_CREAT);
  if (::flock(users_.get(), LOCK_SH) != 0)
    throw ros::Error::from_errno("cannot lock " + root_.string());
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
  // Absent, or, when it cannot be marked as used, somebody else's whom that does not harm.
  if (::utimensat(AT_FDCWD, entry.c_str(), nullptr, 0) != 0 && !fs::exists(entry))
    return std::nullopt;
  return entry;
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
  made_ = true;
  ::utimensat(AT_FDCWD, entry.c_str(), nullptr, 0);  // made just now, whatever it is a copy of
  return entry;
}

std::uint64_t Cache::collect(std::uint64_t limit) {
  if (!made_) return 0;
  if (::flock(users_.get(), LOCK_EX | LOCK_NB) != 0) {
    ::flock(users_.get(), LOCK_SH);  // which was given up for the attempt
    return 0;
  }
  const auto all = by_last_use(root_ / "entries");
  std::uint64_t total = 0, freed = 0;
  for (const Used& used : all) total += used.bytes;
  for (const Used& used : all) {
    if (total - freed <= limit) break;
    // Out of its place at once, so that no name ever means a part of an entry.
    const ros::TempDir rubbish{staging_};
    fs::rename(used.path, rubbish.path() / "entry");
    boost::system::error_code ignored;
    fs::remove(root_ / "locks" / used.path.filename(), ignored);
    freed += used.bytes;
  }
  ::flock(users_.get(), LOCK_SH);
  return freed;
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
