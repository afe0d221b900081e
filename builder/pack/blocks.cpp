#include "builder/pack/blocks.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "runtime/base/error.h"

namespace rosbuild {
namespace {

// Work for one thread at a time.
constexpr std::uint64_t kBatchBytes = 2 * 1024 * 1024;

}  // namespace

RawDisk::RawDisk(const fs::path& path)
    : fd(ros::open_file(path.string(), O_RDONLY)), size(fs::file_size(path)) {
  if (size == 0 || size % 512 != 0)
    throw ros::Error{fmt::format("{}: {} bytes are no whole sectors", path.string(), size)};
}

bool is_zero(std::string_view bytes) {
  return bytes.empty() ||
         (bytes[0] == '\0' && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

bool is_dense(std::string_view bytes) {
  // Pearson's test against "all values alike", for each byte. At a tenth, the entropy is about
  // 7.93 bits of 8: a hundredth is all that an ideal code for single bytes would save.
  std::array<double, 256> counts{};
  for (const char byte : bytes) counts[static_cast<unsigned char>(byte)] += 1;
  const double expected = static_cast<double>(bytes.size()) / 256;
  double sum = 0;
  for (const double count : counts) sum += (count - expected) * (count - expected);
  return sum / expected < static_cast<double>(bytes.size()) / 10;
}

std::optional<std::vector<std::uint64_t>> BlockNumbers::next() {
  const std::size_t limit = std::max<std::uint64_t>(1, kBatchBytes / block_size_);
  std::vector<std::uint64_t> batch;
  while (batch.size() < limit) {
    if (at_ >= extent_.end) {
      extent_ = next_extent(disk_.fd.get(), at_, disk_.size);
      if (extent_.begin >= disk_.size) break;
      // Its first block may be one that the extent before has ended in.
      at_ = std::max(at_, extent_.begin / block_size_ * block_size_);
      continue;
    }
    batch.push_back(at_ / block_size_);
    at_ += block_size_;
  }
  if (batch.empty()) return std::nullopt;
  return batch;
}

std::optional<Block> read_block(const RawDisk& disk, std::uint64_t index,
                                std::uint64_t block_size) {
  const std::uint64_t at = index * block_size;
  Block block{index, ros::read_at(disk.fd.get(), at, std::min(block_size, disk.size - at))};
  if (is_zero(block.bytes)) return std::nullopt;
  block.bytes.resize(block_size, '\0');
  return block;
}

}  // namespace rosbuild
