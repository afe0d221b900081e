#include "runtime/ros/release_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/fetch.h"
#include "runtime/ros/process.h"
#include "runtime/ros/release_signature.h"

namespace ros {
namespace {

constexpr std::chrono::seconds kIndexTime{60};
constexpr std::size_t kPiece = 1 << 20;
constexpr int kNoRanges = 33;  // curl(1): the server cannot go on with a file

void sync_file(const fs::path& path) {
  const Fd fd = open_file(path.string(), O_RDONLY);
  if (::fsync(fd.get()) != 0) throw Error::from_errno("cannot write " + path.string());
}

void copy_bytes(const fs::path& from, const fs::path& to) {
  const Fd in = open_file(from.string(), O_RDONLY);
  const Fd out = open_file(to.string(), O_WRONLY | O_CREAT | O_TRUNC);
  std::string buffer(kPiece, '\0');
  for (;;) {
    const auto count = ::read(in.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error::from_errno("cannot read " + from.string());
    if (count == 0) return;
    try {
      write_all(out.get(), std::string_view{buffer}.substr(0, static_cast<std::size_t>(count)));
    } catch (Error& error) {
      error.add_context("while writing " + to.string());
      throw;
    }
  }
}

std::uint64_t size_of(const fs::path& path) {
  boost::system::error_code absent;
  const auto size = fs::file_size(path, absent);
  return absent ? 0 : size;
}

}  // namespace

ReleaseSource::ReleaseSource(std::string place, std::vector<std::string> proxies,
                             std::vector<std::string> keys)
    : place_(std::move(place)), proxies_(std::move(proxies)), keys_(std::move(keys)) {
  while (place_.size() > 1 && place_.ends_with('/')) place_.pop_back();
  remote_ = place_.find("://") != std::string::npos;
  if (remote_ && !parse_url(place_))
    throw Error{place_ + " is no folder and no http or https URL", Error::Kind::usage};
  if (!remote_ && !place_.starts_with('/') && !place_.starts_with('.') && !fs::exists(place_))
    image_ = std::make_shared<ReleaseImage>(place_);
}

std::string ReleaseSource::text_of(const std::string& name) const {
  if (remote_) return fetch_text(place_ + "/" + name, Patience{}.at_most(kIndexTime), proxies_);
  if (!image_) return read_file(fs::path{place_} / name);
  const TempDir folder{"/run/ros"};
  image_->copy(name, folder.path() / name);
  return read_file(folder.path() / name);
}

std::string ReleaseSource::signature() const {
  try {
    return text_of(kIndexSignature);
  } catch (Error& error) {
    error.add_context(
        fmt::format("while reading {}, which rancher.upgrade.keys asks for", kIndexSignature));
    throw;
  }
}

std::vector<Release> ReleaseSource::releases() const {
  const std::string index = place_ + "/index";
  try {
    if (remote_ || image_ || !keys_.empty() || fs::exists(index)) {
      const std::string text = text_of("index");
      if (!keys_.empty()) check_signature(text, signature(), keys_);
      return parse_releases(text, index);
    }
    auto found = releases_on(place_);
    if (found.empty()) throw Error{"there is no index and no release", Error::Kind::input};
    return found;
  } catch (Error& error) {
    error.add_context("while reading the releases of " + place_);
    throw;
  }
}

// Goes on with what an earlier one left. Returns curl's exit status.
int ReleaseSource::download(const ReleaseFile& file, const fs::path& to) const {
  return run({"curl",  // -q: no ~/.curlrc
              "-q",
              "--silent",
              "--show-error",
              "--fail",
              "--location",
              "--globoff",
              "--proto",
              "=http,https",
              "--proto-redir",
              "=http,https",
              "--connect-timeout",
              "20",
              "--speed-limit",
              "100",
              "--speed-time",
              "60",
              "--retry",
              "3",
              "--continue-at",
              "-",
              "--max-filesize",
              std::to_string(file.size),
              "--output",
              to.string(),
              "--url",
              place_ + "/" + file.path},
             {.environment = proxies_});
}

void ReleaseSource::fetch_remote(const ReleaseFile& file, const fs::path& to) const {
  int status = download(file, to);
  if (status == kNoRanges) {
    fs::remove(to);
    status = download(file, to);
  }
  if (status != 0)
    throw Error{fmt::format("{}/{} cannot be fetched (curl ended with status {})", place_,
                            file.path, status),
                Error::Kind::network};
}

void ReleaseSource::fetch(const ReleaseFile& file, const fs::path& to) const {
  const fs::path part = to.string() + ".part";
  fs::create_directories(to.parent_path());
  if (size_of(part) > file.size) fs::remove(part);
  if (image_)
    image_->copy(file.path, part);
  else if (!remote_)
    copy_bytes(fs::path{place_} / file.path, part);
  else if (size_of(part) != file.size)
    fetch_remote(file, part);
  sync_file(part);
  if (!is_intact(part, file)) {
    const auto size = size_of(part);
    fs::remove(part);
    throw Error{size == file.size
                    ? fmt::format("{}: the SHA-256 is wrong", file.path)
                    : fmt::format("{} has {} bytes instead of {}", file.path, size, file.size)}
        .hint("the release is damaged or was tampered with; nothing was switched");
  }
  fs::rename(part, to);
}

bool is_intact(const fs::path& path, const ReleaseFile& file) {
  if (size_of(path) != file.size) return false;
  const Fd fd = open_file(path.string(), O_RDONLY);
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);  // what is written back comes from the disk
  return sha256_fd(fd.get()) == file.sha256;
}

std::vector<Release> releases_on(const fs::path& medium) {
  std::vector<Release> found;
  if (!fs::is_directory(medium)) return found;
  for (const auto& entry : fs::directory_iterator(medium)) {
    const fs::path file = entry.path() / "release";
    if (!is_version(entry.path().filename().string()) || !fs::exists(file)) continue;
    for (auto& release : parse_releases(read_file(file), file.string()))
      found.push_back(std::move(release));
  }
  return found;
}

}  // namespace ros
