#include "runtime/base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "runtime/base/error.h"

namespace ros {
namespace {

void make_parents(const fs::path& path) {
  if (!path.has_parent_path()) return;
  boost::system::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  if (failed)
    throw Error{"cannot make folder " + path.parent_path().string() + ": " + failed.message()};
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Fd fd = open_file(path.string(), O_RDONLY);
  try {
    return read_to_end(fd.get());
  } catch (Error& error) {
    error.add_context("while reading " + path.string());
    throw;
  }
}

std::optional<std::string> try_read_file(const fs::path& path) {
  // Most are absent, and the first exception of a static program costs twenty million instructions:
  // libgcc sorts the unwind tables of all its functions (docs/performance.md).
  const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) return std::nullopt;
  try {
    return read_to_end(fd.get());
  } catch (const Error&) {
    return std::nullopt;
  }
}

void write_file_atomically(const fs::path& path, std::string_view bytes, unsigned mode) {
  make_parents(path);
  std::string name = path.string() + ".XXXXXX";
  const Fd fd{::mkostemp(name.data(), O_CLOEXEC)};
  if (!fd) throw Error::from_errno("cannot write " + path.string());
  try {
    write_all(fd.get(), bytes);
    if (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0 ||
        ::rename(name.c_str(), path.c_str()) != 0)
      throw Error::from_errno("cannot write " + path.string());
  } catch (Error&) {
    ::unlink(name.c_str());
    throw;
  }
}

void write_file_if_changed(const fs::path& path, std::string_view bytes, unsigned mode) {
  if (try_read_file(path) != bytes) write_file_atomically(path, bytes, mode);
}

void write_file(const fs::path& path, std::string_view bytes, unsigned mode) {
  make_parents(path);
  const Fd fd = open_file(path.string(), O_WRONLY | O_CREAT | O_TRUNC, mode);
  try {
    write_all(fd.get(), bytes);
  } catch (Error& error) {
    error.add_context("while writing " + path.string());
    throw;
  }
}

TempDir::TempDir(const fs::path& parent) {
  fs::create_directories(parent);
  std::string name = (parent / "rosbuild-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw Error::from_errno("cannot make a temporary folder in " + parent.string());
  path_ = name;
}

TempDir::TempDir(TempDir&& other) noexcept { path_.swap(other.path_); }

TempDir::~TempDir() {
  if (path_.empty()) return;
  boost::system::error_code ignored;
  fs::remove_all(path_, ignored);
}

FileLock::FileLock(const fs::path& path) {
  make_parents(path);
  fd_ = open_file(path.string(), O_RDWR | O_CREAT, 0644);
  while (::flock(fd_.get(), LOCK_EX) != 0)
    if (errno != EINTR) throw Error::from_errno("cannot lock " + path.string());
}

}  // namespace ros
