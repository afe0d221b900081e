// Owning file descriptor. Everything here opens close-on-exec.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace ros {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC; throws Error naming the path.
Fd open_file(const std::string& path, int flags, unsigned mode = 0644);

// Whole-buffer I/O that retries EINTR and short transfers; throws Error.
void write_all(int fd, std::string_view bytes);
std::string read_to_end(int fd);
// Reads exactly `size` bytes at `offset`; throws Error at end of file.
std::string read_at(int fd, std::uint64_t offset, std::size_t size);

}  // namespace ros
