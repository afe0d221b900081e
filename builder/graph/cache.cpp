// The layout:
//
//   entries/<key>    complete, read-only by convention, never changed
//   locks/<key>      flock(2) of whoever makes it
//   locks/users      shared flock(2) of every process that uses the cache
//   staging/…        unfinished work; whatever lies here without an owner is
//                    rubbish of a killed process and is removed at start
//
//   unsynced         names the boot of the host (boot_id) in which entries were made that may not
//                    be on the disk yet; the last user synchronizes in the end and removes it
//
// An entry is made in staging/ and gets its name by rename(2) when it is complete. To synchronize
// each would be to wait for the disk all the time. So where `unsynced` is of an earlier boot, the
// host has gone down meanwhile, and what was made or used since that file was written goes: a name
// always means a complete entry, whatever happened.
//
// A path that was handed out stays valid while its process runs: whoever collects has the cache
// for itself, or does not collect. Waiting would be no use, since the next build collects as well.
#include "builder/graph/cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "builder/os/process.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

std::string boot_id() {
  return ros::try_read_file("/proc/sys/kernel/random/boot_id").value_or("unknown\n");
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

constexpr const char* kUnsynced = "unsynced";

// Before the first entry that it stands for is made; journals keep the order.
void mark_unsynced(const fs::path& root) {
  if (!fs::exists(root / kUnsynced)) ros::write_file_atomically(root / kUnsynced, boot_id());
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
  std::ranges::sort(all, {}, [](const Used& used) { return nanoseconds(used.last); });
  return all;
}

// What the loss of a boot may have cut short. Nobody uses it: all users are of this boot, and the
// first of them has been here.
void remove_unsynced(const fs::path& root) {
  const fs::path mark = root / kUnsynced;
  struct stat since = {};
  if (::lstat(mark.c_str(), &since) != 0 || ros::try_read_file(mark) == boot_id()) return;
  for (const Used& used : by_last_use(root / "entries"))
    if (nanoseconds(used.last) >= nanoseconds(since.st_mtim)) fs::remove_all(used.path);
  fs::remove(mark);
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
  remove_unsynced(root_);
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
  // The last of all users synchronizes what others have made as well, or a killed one.
  if (!fs::exists(root_ / kUnsynced, ignored)) return;
  if (::flock(users_.get(), LOCK_EX | LOCK_NB) != 0) return;
  const int fd = ::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0 && ::syncfs(fd) == 0) fs::remove(root_ / kUnsynced, ignored);
  ::close(fd);
}

std::optional<fs::path> Cache::find(const std::string& key) const {
  fs::path entry = root_ / "entries" / key;
  // Absent, or, when it cannot be marked as used, somebody else's whom that does not harm.
  if (::utimensat(AT_FDCWD, entry.c_str(), nullptr, 0) != 0 && !fs::exists(entry))
    return std::nullopt;
  return entry;
}

fs::path Cache::get_or_make(const std::string& key,
                            const std::function<void(const fs::path& out)>& make,
                            const std::stop_token& stop) {
  if (auto hit = find(key)) return *hit;

  // One maker per key, across threads and processes: the loser of the race
  // waits here and then finds the winner's entry.
  const ros::Fd alone = lock(key, stop);
  if (auto hit = find(key)) return *hit;

  // First, for a loss of power removes what is not older than the mark, and before it is used an
  // entry is as old as its files.
  mark_unsynced(root_);
  const ros::TempDir work{staging_};
  const fs::path out = work.path() / "out";
  make(out);
  if (!fs::exists(out)) throw ros::Error{"internal: the maker of a cache entry made nothing"};

  fs::path entry = root_ / "entries" / key;
  fs::rename(out, entry);
  made_ = true;
  ::utimensat(AT_FDCWD, entry.c_str(), nullptr, 0);  // made just now, whatever it is a copy of
  return entry;
}

ros::Fd Cache::lock(const std::string& name, const std::stop_token& stop) const {
  const fs::path path = root_ / "locks" / name;
  ros::Fd fd = ros::open_file(path.string(), O_RDWR | O_CREAT);
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      throw ros::Error::from_errno("cannot lock " + path.string());
    if (stop.stop_requested()) throw Cancelled{};
    constexpr int kMilliseconds = 100;
    ::poll(nullptr, 0, kMilliseconds);
  }
  return fd;
}

std::uint64_t Cache::collect(std::uint64_t limit) {
  // The limit that it keeps: looking at every file takes longer than a build without work.
  const fs::path kept = root_ / "limit";
  const std::string asked = std::to_string(limit);
  if (!made_ && ros::try_read_file(kept) == asked) return 0;
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
  ros::write_file(kept, asked);
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
