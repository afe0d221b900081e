// Data goes out first, in the order of the disk; an L2 table follows the last
// cluster that it names, then the L1 table and the refcounts, and the header last
// of all. Compressed clusters are packed byte by byte, so several share a cluster
// of the file, whose refcount says how many.
#include "builder/pack/qcow2.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "builder/pack/blocks.h"
#include "builder/pack/bytes.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

using ros::Error;

constexpr unsigned kClusterBits = 16;
constexpr std::uint64_t kCluster = 1ULL << kClusterBits;
constexpr std::uint64_t kTableEntries = kCluster / 8;  // clusters that an L2 table names
constexpr std::uint64_t kRefcounts = kCluster / 2;     // 16-bit counts of a refcount block
constexpr std::uint64_t kCopied = 1ULL << 63;          // refcount is one
constexpr std::uint64_t kCompressed = 1ULL << 62;
constexpr unsigned kSectorsAt = 62 - (kClusterBits - 8);  // of a compressed cluster's length
constexpr std::uint64_t kSector = 512;
constexpr int kWindowBits = -12;  // what QEMU inflates with: no header, 4 KiB

struct Cluster {
  std::uint64_t index = 0;
  std::string bytes;  // as stored
  bool compressed = false;
};

Cluster deflate_cluster(Block block, int level) {
  if (is_dense(block.bytes)) return {block.index, std::move(block.bytes)};
  z_stream z{};
  if (deflateInit2(&z, level, Z_DEFLATED, kWindowBits, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    throw Error{"zlib: cannot start"};
  const std::unique_ptr<z_stream, decltype(&deflateEnd)> guard(&z, deflateEnd);
  std::string out(kCluster - kCluster / 16, '\0');  // a smaller gain is none
  z.next_in = reinterpret_cast<Bytef*>(block.bytes.data());
  z.avail_in = static_cast<uInt>(block.bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  if (deflate(&z, Z_FINISH) != Z_STREAM_END) return {block.index, std::move(block.bytes)};
  out.resize(z.total_out);
  return {block.index, std::move(out), true};
}

std::string table_bytes(const std::vector<std::uint64_t>& entries) {
  std::string bytes(entries.size() * 8, '\0');
  for (std::size_t i = 0; i < entries.size(); ++i) put_be<std::uint64_t>(bytes, 8 * i, entries[i]);
  return bytes;
}

class Writer {
 public:
  Writer(const fs::path& out, std::uint64_t size)
      : fd_(ros::open_file(out.string(), O_WRONLY | O_CREAT | O_TRUNC)),
        size_(size),
        l1_(round_up(size, kCluster * kTableEntries) / (kCluster * kTableEntries), 0) {
    refer(0, kCluster);  // the header
  }

  void put(const Cluster& cluster) {
    if (cluster.index / kTableEntries != l1_index_) finish_table();
    l1_index_ = cluster.index / kTableEntries;
    l2_.resize(kTableEntries, 0);
    l2_[cluster.index % kTableEntries] =
        cluster.compressed ? pack(cluster.bytes) : append(cluster.bytes) | kCopied;
  }

  void finish() {
    finish_table();
    const std::uint64_t l1_at = append(table_bytes(l1_));
    const auto [refcounts_at, clusters] = put_refcounts();
    std::string header(kCluster, '\0');
    put_text(header, 0, "QFI\xfb");
    put_be<std::uint32_t>(header, 4, 2);  // version
    put_be<std::uint32_t>(header, 20, kClusterBits);
    put_be<std::uint64_t>(header, 24, size_);
    put_be<std::uint32_t>(header, 36, static_cast<std::uint32_t>(l1_.size()));
    put_be<std::uint64_t>(header, 40, l1_at);
    put_be<std::uint64_t>(header, 48, refcounts_at);
    put_be<std::uint32_t>(header, 56, static_cast<std::uint32_t>(clusters));
    write_at(fd_.get(), 0, header);
    if (::ftruncate(fd_.get(), static_cast<off_t>(end_)) != 0)
      throw Error::from_errno("cannot write an image");
  }

 private:
  // Whole clusters at the end of the file; returns where they start.
  std::uint64_t append(const std::string& bytes) {
    const std::uint64_t at = end_;
    write_at(fd_.get(), at, bytes);
    refer(at, bytes.size());
    return at;
  }

  // The L2 entry of a compressed cluster. Where the last one ended, the next begins, unless
  // other data has been put behind it.
  std::uint64_t pack(const std::string& bytes) {
    const std::uint64_t room = round_up(packed_to_, kCluster) - packed_to_;
    if (bytes.size() > room && packed_to_ + room != end_) packed_to_ = end_;
    const std::uint64_t at = packed_to_;
    packed_to_ += bytes.size();
    write_at(fd_.get(), at, bytes);
    const std::uint64_t first = at / kSector;
    const std::uint64_t last = (packed_to_ - 1) / kSector;
    refer(first * kSector, (last - first + 1) * kSector);
    return kCompressed | (last - first) << kSectorsAt | at;
  }

  void refer(std::uint64_t at, std::uint64_t size) {
    const std::uint64_t end = round_up(at + size, kCluster);
    refcounts_.resize(std::max<std::uint64_t>(refcounts_.size(), end / kCluster), 0);
    for (std::uint64_t i = at / kCluster; i < end / kCluster; ++i) ++refcounts_[i];
    end_ = std::max(end_, end);
  }

  void finish_table() {
    if (l2_.empty()) return;
    l1_[l1_index_] = append(table_bytes(l2_)) | kCopied;
    l2_.clear();
  }

  // Returns where the table of refcount blocks is, and its clusters. Both count themselves.
  std::pair<std::uint64_t, std::uint64_t> put_refcounts() {
    std::uint64_t blocks = 0;
    std::uint64_t table = 0;
    for (std::uint64_t before = ~0ULL; blocks != before;) {
      before = blocks;
      blocks = round_up(refcounts_.size() + blocks + table, kRefcounts) / kRefcounts;
      table = round_up(blocks, kTableEntries) / kTableEntries;
    }
    const std::uint64_t at = end_;
    refer(at, (table + blocks) * kCluster);
    std::vector<std::uint64_t> entries;
    for (std::uint64_t i = 0; i < blocks; ++i) {
      const std::uint64_t block_at = at + (table + i) * kCluster;
      entries.push_back(block_at);
      std::string bytes(kCluster, '\0');
      for (std::uint64_t j = 0; j < kRefcounts && i * kRefcounts + j < refcounts_.size(); ++j)
        put_be<std::uint16_t>(bytes, 2 * j, refcounts_[i * kRefcounts + j]);
      write_at(fd_.get(), block_at, bytes);
    }
    write_at(fd_.get(), at, table_bytes(entries));
    return {at, table};
  }

  ros::Fd fd_;
  std::uint64_t size_;
  std::uint64_t end_ = 0;        // of the file, whole clusters
  std::uint64_t packed_to_ = 0;  // end of the last compressed cluster
  std::vector<std::uint16_t> refcounts_;
  std::vector<std::uint64_t> l1_;
  std::vector<std::uint64_t> l2_;
  std::uint64_t l1_index_ = 0;
};

}  // namespace

void write_qcow2(const fs::path& raw, const fs::path& out, const DeflateOptions& options) {
  const RawDisk disk(raw);
  Writer writer(out, disk.size);
  for_each_block(
      disk, kCluster, options.threads, options.stop,
      [&](Block block) { return deflate_cluster(std::move(block), options.level); },
      [&](const Cluster& cluster) { writer.put(cluster); });
  writer.finish();
}

}  // namespace rosbuild
