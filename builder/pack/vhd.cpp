#include "builder/pack/vhd.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "builder/pack/blocks.h"
#include "builder/pack/bytes.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

using ros::Error;

constexpr std::uint64_t kSector = 512;
constexpr std::uint64_t kBlock = 512 * 1024;  // Windows makes these and 2 MiB
constexpr std::uint64_t kBitmap = kSector;    // before each block: which of its sectors count
constexpr std::uint64_t kHeaderAt = kSector;  // behind the footer's copy
constexpr std::uint64_t kTableAt = kHeaderAt + 1024;
constexpr std::uint64_t kNowhere = ~0ULL;
enum class DiskType : std::uint32_t { fixed = 2, dynamic = 3 };

struct Geometry {
  std::uint64_t cylinders = 0, heads = 0, sectors = 0;
};

// The specification's appendix "CHS Calculation".
Geometry geometry_of(std::uint64_t size) {
  const std::uint64_t total = std::min<std::uint64_t>(size / kSector, 65535ULL * 16 * 255);
  if (total >= 65535ULL * 16 * 63) return {total / 255 / 16, 16, 255};
  std::uint64_t sectors = 17;
  std::uint64_t tracks = total / sectors;
  std::uint64_t heads = std::max<std::uint64_t>((tracks + 1023) / 1024, 4);
  if (tracks >= heads * 1024 || heads > 16) {
    sectors = 31;
    heads = 16;
    tracks = total / sectors;
  }
  if (tracks >= heads * 1024) {
    sectors = 63;
    heads = 16;
    tracks = total / sectors;
  }
  return {tracks / heads, heads, sectors};
}

// Of footer and header alike: the complement of the sum of all bytes.
void put_checksum(std::string& bytes, std::size_t offset) {
  std::uint32_t sum = 0;
  for (const char byte : bytes) sum += static_cast<unsigned char>(byte);
  put_be<std::uint32_t>(bytes, offset, ~sum);
}

std::string footer(DiskType type, std::uint64_t size, const std::string& id) {
  const Geometry geometry = geometry_of(size);
  std::string bytes(kSector, '\0');
  put_text(bytes, 0, "conectix");
  put_be<std::uint32_t>(bytes, 8, 2);            // features: only the reserved bit
  put_be<std::uint32_t>(bytes, 12, 0x00010000);  // version
  put_be<std::uint64_t>(bytes, 16, type == DiskType::fixed ? kNowhere : kHeaderAt);
  // For other creators some readers take the disk's size from its geometry, which is less.
  put_text(bytes, 28, "win ");
  put_be<std::uint32_t>(bytes, 32, 0x000a0000);
  put_text(bytes, 36, "Wi2k");
  put_be<std::uint64_t>(bytes, 40, size);  // original and current
  put_be<std::uint64_t>(bytes, 48, size);
  put_be<std::uint16_t>(bytes, 56, static_cast<std::uint16_t>(geometry.cylinders));
  put_be<std::uint8_t>(bytes, 58, static_cast<std::uint8_t>(geometry.heads));
  put_be<std::uint8_t>(bytes, 59, static_cast<std::uint8_t>(geometry.sectors));
  put_be<std::uint32_t>(bytes, 60, static_cast<std::uint32_t>(type));
  put_text(bytes, 68, guid_bytes(id));
  put_checksum(bytes, 64);
  return bytes;
}

std::string dynamic_header(std::uint64_t blocks) {
  std::string bytes(1024, '\0');
  put_text(bytes, 0, "cxsparse");
  put_be<std::uint64_t>(bytes, 8, kNowhere);
  put_be<std::uint64_t>(bytes, 16, kTableAt);
  put_be<std::uint32_t>(bytes, 24, 0x00010000);  // version
  put_be<std::uint32_t>(bytes, 28, static_cast<std::uint32_t>(blocks));
  put_be<std::uint32_t>(bytes, 32, kBlock);
  put_checksum(bytes, 36);
  return bytes;
}

RawDisk open_disk(const fs::path& raw) {
  RawDisk disk(raw);
  if (disk.size > kLargestVhd)
    throw Error{fmt::format("{}: a VHD holds at most {} GiB", raw.string(), kLargestVhd >> 30)};
  return disk;
}

// Calls put(block) for the blocks that are not all zero; returns the identifier
// that follows from them and the size.
template <class Put>
std::string walk(const RawDisk& disk, const std::stop_token& stop, Put&& put) {
  ros::Sha256 hash;
  hash.update(fmt::format("vhd {}", disk.size));
  for_each_block(
      disk, kBlock, 2, stop, [](Block block) { return block; },
      [&](const Block& block) {
        hash.update(fmt::format("block {}", block.index));
        hash.update(block.bytes);
        put(block);
      });
  return ros::uuid_from(hash.finish());
}

}  // namespace

void write_fixed_vhd(const fs::path& raw, const fs::path& out, std::stop_token stop) {
  const RawDisk disk = open_disk(raw);
  const ros::Fd fd = create_sparse(out.string(), disk.size);
  const std::string id = walk(disk, stop, [&](const Block& block) {
    // Finer than a block, so that the file has the holes that the disk has.
    constexpr std::uint64_t kPage = 4096;
    const std::uint64_t at = block.index * kBlock;
    const std::string_view bytes =
        std::string_view(block.bytes).substr(0, std::min(kBlock, disk.size - at));
    for (std::uint64_t page = 0; page < bytes.size(); page += kPage)
      if (const auto piece = bytes.substr(page, kPage); !is_zero(piece))
        write_at(fd.get(), at + page, piece);
  });
  write_at(fd.get(), disk.size, footer(DiskType::fixed, disk.size, id));
}

void write_dynamic_vhd(const fs::path& raw, const fs::path& out, std::stop_token stop) {
  const RawDisk disk = open_disk(raw);
  const ros::Fd fd = create_sparse(out.string(), 0);
  const std::uint64_t blocks = round_up(disk.size, kBlock) / kBlock;
  std::string table(round_up(blocks * 4, kSector), '\xff');
  std::uint64_t end = kTableAt + table.size();
  const std::string id = walk(disk, stop, [&](const Block& block) {
    put_be<std::uint32_t>(table, 4 * block.index, static_cast<std::uint32_t>(end / kSector));
    write_at(fd.get(), end, std::string(kBitmap, '\xff'));
    write_at(fd.get(), end + kBitmap, block.bytes);
    end += kBitmap + kBlock;
  });
  const std::string last = footer(DiskType::dynamic, disk.size, id);
  write_at(fd.get(), 0, last);
  write_at(fd.get(), kHeaderAt, dynamic_header(blocks));
  write_at(fd.get(), kTableAt, table);
  write_at(fd.get(), end, last);
}

}  // namespace rosbuild
