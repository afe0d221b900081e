#include "builder/pack/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "builder/os/process.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"

namespace rosbuild {

using ros::Error;

void write_at(int fd, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error::from_errno("cannot write an image");
    offset += static_cast<std::uint64_t>(count);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

ros::Fd create_sparse(const std::string& path, std::uint64_t size) {
  ros::Fd fd = ros::open_file(path, O_RDWR | O_CREAT | O_TRUNC);
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    throw Error::from_errno("cannot make " + path);
  return fd;
}

void check_stop(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Cancelled{};
}

Extent next_extent(int fd, std::uint64_t from, std::uint64_t size) {
  const auto seek = [&](std::uint64_t offset, int what) -> std::uint64_t {
    const off_t place = ::lseek(fd, static_cast<off_t>(offset), what);
    if (place < 0 && errno == ENXIO) return size;  // only a hole is left
    if (place < 0) throw Error::from_errno("cannot look for data in an image");
    return std::min(static_cast<std::uint64_t>(place), size);
  };
  if (from >= size) return {size, size};
  const std::uint64_t begin = seek(from, SEEK_DATA);
  return {begin, begin < size ? seek(begin, SEEK_HOLE) : size};
}

void copy_sparse(const std::string& file, int to, std::uint64_t offset,
                 const std::stop_token& stop) {
  const ros::Fd from = ros::open_file(file, O_RDONLY);
  const off_t size = ::lseek(from.get(), 0, SEEK_END);
  if (size < 0) throw Error::from_errno("cannot read " + file);
  constexpr std::uint64_t kPiece = 4 * 1024 * 1024;
  for_each_extent(
      from.get(), static_cast<std::uint64_t>(size), [&](std::uint64_t begin, std::uint64_t length) {
        for (std::uint64_t done = 0; done < length; done += kPiece) {
          check_stop(stop);
          const auto piece = static_cast<std::size_t>(std::min(kPiece, length - done));
          write_at(to, offset + begin + done, ros::read_at(from.get(), begin + done, piece));
        }
      });
}

std::string sha256_sparse(const std::string& file) {
  const ros::Fd fd = ros::open_file(file, O_RDONLY);
  const off_t end = ::lseek(fd.get(), 0, SEEK_END);
  if (end < 0) throw Error::from_errno("cannot read " + file);
  const auto size = static_cast<std::uint64_t>(end);
  constexpr std::uint64_t kPiece = 1024 * 1024;
  static const std::string zeros(kPiece, '\0');
  ros::Sha256 hash;
  std::uint64_t done = 0;
  const auto skip_to = [&](std::uint64_t offset) {
    for (; done < offset; done += std::min(kPiece, offset - done))
      hash.update(std::string_view(zeros).substr(0, std::min(kPiece, offset - done)));
  };
  for_each_extent(fd.get(), size, [&](std::uint64_t begin, std::uint64_t length) {
    skip_to(begin);
    for (; done < begin + length; done += std::min(kPiece, begin + length - done))
      hash.update(ros::read_at(fd.get(), done, std::min(kPiece, begin + length - done)));
  });
  skip_to(size);
  return hash.finish();
}

}  // namespace rosbuild
