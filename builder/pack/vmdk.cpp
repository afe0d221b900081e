#include "builder/pack/vmdk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <vector>

#include "builder/pack/blocks.h"
#include "builder/pack/bytes.h"
#include "builder/pack/stream.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

using ros::Error;

// Sectors, unless said otherwise; names as in VMware's specification.
constexpr std::uint64_t kSectorSize = 512;
constexpr std::uint64_t kGrain = 128;
constexpr std::uint64_t kGrainBytes = kGrain * kSectorSize;
constexpr std::uint64_t kTableEntries = 512;  // grains of a grain table
constexpr std::uint64_t kDescriptorAt = 1;
constexpr std::uint64_t kDescriptorSize = 20;
constexpr std::uint64_t kOverhead = 128;  // the first grain starts here
constexpr std::uint64_t kAtEnd = ~0ULL;   // the grain directory: see the footer
enum class Marker : std::uint32_t { end = 0, table = 1, directory = 2, footer = 3 };

std::string header(std::uint64_t capacity, std::uint64_t directory_at) {
  constexpr std::uint32_t kFlags = 1 | 1U << 16 | 1U << 17;  // newline check, compressed, markers
  std::string bytes(kSectorSize, '\0');
  put_text(bytes, 0, "KDMV");
  put_le<std::uint32_t>(bytes, 4, 3);  // version
  put_le<std::uint32_t>(bytes, 8, kFlags);
  put_le<std::uint64_t>(bytes, 12, capacity);
  put_le<std::uint64_t>(bytes, 20, kGrain);
  put_le<std::uint64_t>(bytes, 28, kDescriptorAt);
  put_le<std::uint64_t>(bytes, 36, kDescriptorSize);
  put_le<std::uint32_t>(bytes, 44, kTableEntries);
  put_le<std::uint64_t>(bytes, 48, 0);  // no second directory
  put_le<std::uint64_t>(bytes, 56, directory_at);
  put_le<std::uint64_t>(bytes, 64, kOverhead);
  put_text(bytes, 73, "\n \r\n");       // broken by transfers that change line ends
  put_le<std::uint16_t>(bytes, 77, 1);  // deflate
  return bytes;
}

// `cid` names the content; the extent's name means nothing in a single file.
std::string descriptor(std::uint64_t capacity, const std::string& cid) {
  const std::uint64_t cylinders = std::min<std::uint64_t>(capacity / (255 * 63), 65535);
  std::string text = fmt::format(
      "# Disk DescriptorFile\n"
      "version=1\n"
      "CID={}\n"
      "parentCID=ffffffff\n"
      "createType=\"streamOptimized\"\n"
      "\n"
      "# Extent description\n"
      "RW {} SPARSE \"generated-stream.vmdk\"\n"
      "\n"
      "# The Disk Data Base\n"
      "#DDB\n"
      "\n"
      "ddb.adapterType = \"lsilogic\"\n"
      "ddb.geometry.cylinders = \"{}\"\n"
      "ddb.geometry.heads = \"255\"\n"
      "ddb.geometry.sectors = \"63\"\n"
      "ddb.virtualHWVersion = \"10\"\n",
      cid, capacity, cylinders);
  text.resize(kDescriptorSize * kSectorSize, '\0');
  return text;
}

std::string padded(std::string bytes) {
  bytes.append((kSectorSize - bytes.size() % kSectorSize) % kSectorSize, '\0');
  return bytes;
}

std::string marker(Marker type, std::uint64_t sectors) {
  std::string bytes(kSectorSize, '\0');
  put_le<std::uint64_t>(bytes, 0, sectors);
  put_le<std::uint32_t>(bytes, 12, static_cast<std::uint32_t>(type));
  return bytes;
}

std::string table_bytes(const std::vector<std::uint32_t>& table) {
  std::string bytes(table.size() * 4, '\0');
  for (std::size_t i = 0; i < table.size(); ++i) put_le<std::uint32_t>(bytes, 4 * i, table[i]);
  return padded(std::move(bytes));
}

struct Grain {
  std::uint64_t index = 0;
  std::string bytes;  // marker and deflated data, whole sectors
};

Grain deflate_grain(const Block& block, int level) {
  uLongf length = compressBound(kGrainBytes);
  std::string bytes(12 + length, '\0');
  if (compress2(reinterpret_cast<Bytef*>(bytes.data() + 12), &length,
                reinterpret_cast<const Bytef*>(block.bytes.data()), block.bytes.size(),
                is_dense(block.bytes) ? 0 : level) != Z_OK)
    throw Error{"zlib: cannot deflate"};
  bytes.resize(12 + length);
  put_le<std::uint64_t>(bytes, 0, block.index * kGrain);
  put_le<std::uint32_t>(bytes, 8, static_cast<std::uint32_t>(length));
  return {block.index, padded(std::move(bytes))};
}

class Writer {
 public:
  Writer(const fs::path& out, std::uint64_t size)
      : fd_(ros::open_file(out.string(), O_WRONLY | O_CREAT | O_TRUNC)),
        capacity_((size + kGrainBytes - 1) / kGrainBytes * kGrain),
        directory_((capacity_ / kGrain + kTableEntries - 1) / kTableEntries, 0) {}

  void put(const Grain& grain) {
    if (grain.index / kTableEntries != table_index_) finish_table();
    table_index_ = grain.index / kTableEntries;
    if (table_.empty()) table_.resize(kTableEntries, 0);
    table_[grain.index % kTableEntries] = append(grain.bytes);
    hash_.update(grain.bytes);
  }

  void finish() {
    finish_table();
    const std::string directory = table_bytes(directory_);
    append(marker(Marker::directory, directory.size() / kSectorSize));
    const std::uint32_t directory_at = append(directory);
    append(marker(Marker::footer, 1));
    append(header(capacity_, directory_at));
    append(marker(Marker::end, 0));
    write_at(fd_.get(), 0, header(capacity_, kAtEnd));
    hash_.update(header(capacity_, kAtEnd));
    // ffffffff and fffffffe have meanings of their own.
    const std::string cid = "0" + hash_.finish().substr(0, 7);
    write_at(fd_.get(), kDescriptorAt * kSectorSize, descriptor(capacity_, cid));
  }

 private:
  // Returns the sector where it starts.
  std::uint32_t append(const std::string& bytes) {
    const std::uint64_t at = end_;
    if (at > 0xffffffffULL) throw Error{"the disk's data is too large for a VMDK"};
    write_at(fd_.get(), at * kSectorSize, bytes);
    end_ += bytes.size() / kSectorSize;
    return static_cast<std::uint32_t>(at);
  }

  void finish_table() {
    if (table_.empty()) return;
    const std::string bytes = table_bytes(table_);
    append(marker(Marker::table, bytes.size() / kSectorSize));
    directory_[table_index_] = append(bytes);
    table_.clear();
  }

  ros::Fd fd_;
  std::uint64_t capacity_;
  std::uint64_t end_ = kOverhead;
  std::vector<std::uint32_t> directory_;
  std::vector<std::uint32_t> table_;
  std::uint64_t table_index_ = 0;
  ros::Sha256 hash_;
};

}  // namespace

void write_vmdk(const fs::path& raw, const fs::path& out, const DeflateOptions& options) {
  const RawDisk disk(raw);
  Writer writer(out, disk.size);
  for_each_block(
      disk, kGrainBytes, options.threads, options.stop,
      [&](const Block& block) { return deflate_grain(block, options.level); },
      [&](const Grain& grain) { writer.put(grain); });
  writer.finish();
}

}  // namespace rosbuild
