#include "builder/pack/gce.h"

#include <vector>

#include "builder/pack/blocks.h"
#include "builder/pack/bytes.h"
#include "builder/pack/tar_header.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

constexpr std::uint64_t kBlock = 64 * 1024;
constexpr std::size_t kRecord = 20 * kTarBlock;
constexpr std::size_t kNumber = 12;       // characters of an offset, and of a size
constexpr std::size_t kInHeader = 4;      // stretches that the header names
constexpr std::size_t kInExtension = 21;  // and each block behind it

// The stretches of the disk that are stored, in order.
std::vector<Extent> data_of(const RawDisk& disk, const std::stop_token& stop) {
  std::vector<Extent> stretches;
  for_each_block(
      disk, kBlock, 1, stop, [](const Block& block) { return block.index * kBlock; },
      [&](std::uint64_t at) {
        const std::uint64_t end = std::min(at + kBlock, disk.size);
        if (!stretches.empty() && stretches.back().end == at)
          stretches.back().end = end;
        else
          stretches.push_back({at, end});
      });
  // GNU tar ends the list so when the file ends in a hole: this gives it its size.
  if (stretches.empty() || stretches.back().end != disk.size)
    stretches.push_back({disk.size, disk.size});
  return stretches;
}

// Header and extension blocks of the sparse file.
std::string headers_of(const RawDisk& disk, const std::vector<Extent>& stretches) {
  std::uint64_t stored = 0;
  for (const Extent& stretch : stretches) stored += stretch.end - stretch.begin;
  std::size_t next = 0;
  const auto put_map = [&](TarHeader& block, std::size_t offset, std::size_t count) {
    for (std::size_t i = 0; i < count && next < stretches.size(); ++i, ++next) {
      const Extent& stretch = stretches[next];
      block.number(offset + 2 * kNumber * i, kNumber, stretch.begin);
      block.number(offset + 2 * kNumber * i + kNumber, kNumber, stretch.end - stretch.begin);
    }
    if (next < stretches.size()) block.text(offset + 2 * kNumber * count, 1, "\1");
  };
  TarHeader header = file_header("disk.raw", 0);
  header.number(124, kNumber, stored);
  header.text(156, 1, "S");
  header.text(257, 8, std::string_view("ustar  \0", 8));
  header.number(483, kNumber, disk.size);
  put_map(header, 386, kInHeader);
  std::string bytes = header.finish();
  while (next < stretches.size()) {
    TarHeader extension;
    put_map(extension, 0, kInExtension);
    bytes += extension.block();
  }
  return bytes;
}

}  // namespace

void write_gce(const fs::path& raw, const fs::path& out, const DeflateOptions& options) {
  const RawDisk disk(raw);
  if (disk.size % kGceUnit != 0)
    throw ros::Error{fmt::format("{}: {} bytes are not whole GiB", raw.string(), disk.size)};
  const std::vector<Extent> stretches = data_of(disk, options.stop);
  write_gzip(out, options, [&](const Sink& sink) {
    const std::string headers = headers_of(disk, stretches);
    sink(headers);
    std::uint64_t total = headers.size();
    for (const auto& [begin, end] : stretches) {
      for (std::uint64_t at = begin; at < end; at += kBlock)
        sink(ros::read_at(disk.fd.get(), at, std::min(kBlock, end - at)));
      total += end - begin;
    }
    total += 2 * kTarBlock;
    sink(std::string(2 * kTarBlock, '\0'));  // whole sectors need no padding
    sink(tar_padding(total, kRecord));
  });
}

}  // namespace rosbuild
