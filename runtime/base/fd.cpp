#include "runtime/base/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/base/error.h"

namespace ros {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Fd::reset() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Fd open_file(const std::string& path, int flags, unsigned mode) {
  Fd fd{::open(path.c_str(), flags | O_CLOEXEC, mode)};
  if (!fd) throw Error::from_errno("cannot open " + path);
  return fd;
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error::from_errno("write");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string read_to_end(int fd) {
  std::string bytes;
  while (true) {
    constexpr std::size_t kStep = 64 * 1024;
    const std::size_t size = bytes.size();
    bytes.resize(size + kStep);
    const ssize_t count = ::read(fd, bytes.data() + size, kStep);
    bytes.resize(size + (count > 0 ? static_cast<std::size_t>(count) : 0));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error::from_errno("read");
    if (count == 0) return bytes;
  }
}

std::string read_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count =
        ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error::from_errno("read");
    if (count == 0) throw Error{"unexpected end of file"};
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace ros
