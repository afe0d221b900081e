#include "builder/publish/release.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;
using ros::Fd;

// What tells that a file is still the one we wrote: identity, size, time of change.
std::string fingerprint(const fs::path& path, const std::string& sha256) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return fmt::format("{} {} {} {}.{:09} {}.{:09}", sha256, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                     status.st_ctim.tv_nsec);
}

constexpr const char* kSuffix = "XXXXXX";  // of unfinished files, see mkstemp(3)

// Copies the data regions of a file; holes stay holes.
void copy_sparse(int from, int to, off_t size) {
  for (off_t at = 0; at < size;) {
    const off_t data = ::lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data < 0) throw Error::from_errno("seek");
    const off_t end = ::lseek(from, data, SEEK_HOLE);
    off_t source = data;
    off_t target = data;
    while (source < end) {
      const ssize_t copied =
          ::copy_file_range(from, &source, to, &target, static_cast<std::size_t>(end - source), 0);
      if (copied > 0) continue;
      if (copied == 0) throw Error{"unexpected end of file"};
      if (errno == EINTR) continue;
      if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
        throw Error::from_errno("copy");
      const auto piece = static_cast<std::size_t>(std::min<off_t>(1024 * 1024, end - source));
      const std::string bytes = ros::read_at(from, static_cast<std::uint64_t>(source), piece);
      if (::lseek(to, target, SEEK_SET) < 0) throw Error::from_errno("seek");
      ros::write_all(to, bytes);
      source += static_cast<off_t>(piece);
      target += static_cast<off_t>(piece);
    }
    at = end;
  }
  if (::ftruncate(to, size) != 0) throw Error::from_errno("resize");
}

// What a killed builder left of it: NAME is ours alone now.
void remove_unfinished(const fs::path& to) {
  const std::string begin = "." + to.filename().string() + ".";
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(to.parent_path())) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(begin) && name.size() == begin.size() + std::strlen(kSuffix))
      left.push_back(entry.path());
  }
  for (const auto& path : left) fs::remove(path);
}

// Not synchronized with the disk: after a loss of power the file's size or times are not those of
// the record, and it is put there again. Waiting for gigabytes was a tenth of a build.
void copy_atomically(const fs::path& from, const fs::path& to) {
  const Fd source = ros::open_file(from.string(), O_RDONLY);
  struct stat status = {};
  remove_unfinished(to);
  if (::fstat(source.get(), &status) != 0) throw Error::from_errno("stat " + from.string());
  std::string name = (to.parent_path() / ("." + to.filename().string() + ".")).string() + kSuffix;
  const Fd target{::mkostemp(name.data(), O_CLOEXEC)};
  if (!target) throw Error::from_errno("cannot write " + to.string());
  try {
    if (::ioctl(target.get(), FICLONE, source.get()) != 0)
      copy_sparse(source.get(), target.get(), status.st_size);
    if (::fchmod(target.get(), 0644) != 0 || ::rename(name.c_str(), to.c_str()) != 0)
      throw Error::from_errno("rename");
  } catch (Error& error) {
    ::unlink(name.c_str());
    error.add_context("while writing " + to.string());
    throw;
  }
}

}  // namespace

Published publish(const fs::path& file, const std::string& sha256, const fs::path& folder,
                  const std::string& name, const fs::path& records) {
  const fs::path path =
      fs::weakly_canonical(fs::absolute(folder)) / name;  // one record, however it is called
  const fs::path record = records / ros::sha256(path.string());
  const Published published{name, path, fs::file_size(file), sha256};
  const std::string known = fingerprint(path, sha256);
  if (!known.empty() && ros::try_read_file(record) == known) return published;
  boost::system::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  if (failed)
    throw Error{fmt::format("cannot make {}: {}", path.parent_path().string(), failed.message())};
  copy_atomically(file, path);
  ros::write_file_atomically(record, fingerprint(path, sha256));
  return published;
}

void write_list(const fs::path& path, const std::string& text) {
  if (ros::try_read_file(path) == text) return;
  fs::remove(path.string() + ".sig");
  ros::write_file_atomically(path, text);
}

std::map<std::string, std::string> read_checksums(const fs::path& folder) {
  std::map<std::string, std::string> digests;
  constexpr std::size_t kDigits = 64;
  for (const auto& line : ros::split(ros::try_read_file(folder / kChecksums).value_or(""), '\n'))
    if (line.find("  ") == kDigits) digests[line.substr(kDigits + 2)] = line.substr(0, kDigits);
  return digests;
}

void write_checksums(const fs::path& folder, const std::string& version,
                     const std::vector<Published>& artifacts) {
  auto digests = read_checksums(folder);
  const std::string said = version + "\n";
  const bool same = ros::try_read_file(folder / kVersion) == said;
  std::erase_if(digests, [&](const auto& entry) {
    return !fs::exists(folder / entry.first) || (!same && !entry.first.starts_with("release/"));
  });
  digests[kVersion] = ros::sha256(said);
  for (const auto& artifact : artifacts) digests[artifact.name] = artifact.sha256;
  std::string text;
  for (const auto& [name, digest] : digests) text += fmt::format("{}  {}\n", digest, name);
  write_list(folder / kChecksums, text);
  // Last: until it is there, the next build knows that lines may be of another version.
  if (!same) ros::write_file_atomically(folder / kVersion, said);
}

}  // namespace rosbuild
