#include "builder/pack/vhdx.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "builder/pack/blocks.h"
#include "builder/pack/bytes.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kBlock = kMiB;

// Where things are. The first MiB is given; everything else is whole MiB.
constexpr std::uint64_t kHeadersAt[] = {64 * kKiB, 128 * kKiB};
constexpr std::uint64_t kRegionsAt[] = {192 * kKiB, 256 * kKiB};
constexpr std::uint64_t kLogAt = kMiB;
constexpr std::uint64_t kLogSize = kMiB;
constexpr std::uint64_t kMetadataAt = kLogAt + kLogSize;
constexpr std::uint64_t kMetadataSize = kMiB;
constexpr std::uint64_t kTableAt = kMetadataAt + kMetadataSize;  // of blocks ("BAT")

// After so many blocks the table has an entry for a bitmap that only differencing disks have.
constexpr std::uint64_t kChunk = (1ULL << 23) * 512 / kBlock;
constexpr std::uint64_t kZeroBlock = 2;
constexpr std::uint64_t kPresentBlock = 6;

constexpr const char* kTableGuid = "2DC27766-F623-4200-9D64-115E9BFD4A08";
constexpr const char* kMetadataGuid = "8B7CA206-4790-4B9A-B8FE-575F050F886E";

// CRC-32C (RFC 3720, appendix B.4), by the byte.
std::uint32_t crc32c(const std::string& bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < made.size(); ++i) {
      made[i] = i;
      for (int bit = 0; bit < 8; ++bit) made[i] = made[i] >> 1 ^ (made[i] & 1 ? 0x82f63b78U : 0);
    }
    return made;
  }();
  std::uint32_t crc = ~0U;
  for (const char byte : bytes)
    crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~crc;
}

std::string file_identifier() {
  std::string bytes = "vhdxfile";
  bytes.resize(64 * kKiB, '\0');
  constexpr std::string_view kCreator = "rosbuild";
  for (std::size_t i = 0; i < kCreator.size(); ++i) bytes[8 + 2 * i] = kCreator[i];  // UTF-16
  return bytes;
}

std::string header(std::uint64_t sequence, const std::string& id) {
  std::string bytes(4 * kKiB, '\0');
  put_text(bytes, 0, "head");
  put_le<std::uint64_t>(bytes, 8, sequence);
  put_text(bytes, 16, guid_bytes(ros::uuid_from(id + " file")));
  put_text(bytes, 32, guid_bytes(ros::uuid_from(id + " data")));
  put_le<std::uint16_t>(bytes, 66, 1);  // version; the log's is 0, and its GUID too: it is empty
  put_le<std::uint32_t>(bytes, 68, kLogSize);
  put_le<std::uint64_t>(bytes, 72, kLogAt);
  put_le<std::uint32_t>(bytes, 4, crc32c(bytes));
  return bytes;
}

std::string region_table(std::uint64_t table_size) {
  std::string bytes(64 * kKiB, '\0');
  put_text(bytes, 0, "regi");
  put_le<std::uint32_t>(bytes, 8, 2);  // entries
  const auto entry = [&](std::size_t at, const char* guid, std::uint64_t offset,
                         std::uint64_t size) {
    put_text(bytes, at, guid_bytes(guid));
    put_le<std::uint64_t>(bytes, at + 16, offset);
    put_le<std::uint32_t>(bytes, at + 24, static_cast<std::uint32_t>(size));
    put_le<std::uint32_t>(bytes, at + 28, 1);  // required
  };
  entry(16, kTableGuid, kTableAt, table_size);
  entry(48, kMetadataGuid, kMetadataAt, kMetadataSize);
  put_le<std::uint32_t>(bytes, 4, crc32c(bytes));
  return bytes;
}

std::string metadata(std::uint64_t size, const std::string& id) {
  struct Item {
    const char* guid;
    std::string value;
    std::uint32_t flags;
  };
  constexpr std::uint32_t kDisk = 2, kRequired = 4;
  const auto number = [](auto value) {
    std::string bytes(sizeof(value), '\0');
    put_le(bytes, 0, value);
    return bytes;
  };
  const Item items[] = {
      {"CAA16737-FA36-4D43-B3B6-33F0AA44E76B", number(kBlock), kRequired},  // and no flags
      {"2FA54224-CD1B-4876-B211-5DBED83BF4B8", number(size), kDisk | kRequired},
      {"BECA12AB-B2E6-4523-93EF-C309E000C746", guid_bytes(ros::uuid_from(id + " disk")),
       kDisk | kRequired},
      {"8141BF1D-A96F-4709-BA47-F233A8FAAB5F", number(std::uint32_t{512}), kDisk | kRequired},
      {"CDA348C7-445D-4471-9CC9-E9885251C556", number(std::uint32_t{4096}), kDisk | kRequired}};
  std::string bytes(64 * kKiB, '\0');
  put_text(bytes, 0, "metadata");
  put_le<std::uint16_t>(bytes, 10, std::size(items));
  std::size_t at = 32;
  for (const Item& item : items) {
    put_text(bytes, at, guid_bytes(item.guid));
    put_le<std::uint32_t>(bytes, at + 16, static_cast<std::uint32_t>(bytes.size()));
    put_le<std::uint32_t>(bytes, at + 20, static_cast<std::uint32_t>(item.value.size()));
    put_le<std::uint32_t>(bytes, at + 24, item.flags);
    bytes += item.value;
    at += 32;
  }
  return bytes;
}

// The block's place in the table, between the entries for bitmaps.
std::uint64_t entry_of(std::uint64_t block) { return block + block / kChunk; }

}  // namespace

void write_vhdx(const fs::path& raw, const fs::path& out, std::stop_token stop) {
  const RawDisk disk(raw);
  const std::uint64_t blocks = round_up(disk.size, kBlock) / kBlock;
  std::string table(round_up(8 * (entry_of(blocks - 1) + 1), kMiB), '\0');
  for (std::uint64_t block = 0; block < blocks; ++block)
    put_le<std::uint64_t>(table, 8 * entry_of(block), kZeroBlock);

  const ros::Fd fd = create_sparse(out.string(), 0);
  std::uint64_t end = kTableAt + table.size();
  ros::Sha256 hash;
  hash.update(fmt::format("vhdx {}", disk.size));
  for_each_block(
      disk, kBlock, 2, stop, [](Block block) { return block; },
      [&](const Block& block) {
        hash.update(fmt::format("block {}", block.index));
        hash.update(block.bytes);
        // Whole MiB, of which the low 20 bits are free for the state.
        put_le<std::uint64_t>(table, 8 * entry_of(block.index), end | kPresentBlock);
        write_at(fd.get(), end, block.bytes);
        end += kBlock;
      });
  const std::string id = hash.finish();
  write_at(fd.get(), 0, file_identifier());
  for (const std::uint64_t i : {0, 1}) {  // the second is the one that counts
    write_at(fd.get(), kHeadersAt[i], header(i + 1, id));
    write_at(fd.get(), kRegionsAt[i], region_table(table.size()));
  }
  write_at(fd.get(), kMetadataAt, metadata(disk.size, id));
  write_at(fd.get(), kTableAt, table);
  if (::ftruncate(fd.get(), static_cast<off_t>(end)) != 0)
    throw ros::Error::from_errno("cannot write an image");
}

}  // namespace rosbuild
