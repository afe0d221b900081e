// A raw disk, block by block: what every writer of a virtual disk format starts
// from. Holes are skipped unread and blocks of zeros left out; the rest is worked
// on by several threads and handed over in order, so that what is written depends
// on the disk's bytes alone.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "builder/pack/stream.h"
#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

struct RawDisk {
  // Throws ros::Error when it is absent, empty or not whole sectors of 512 bytes.
  explicit RawDisk(const fs::path& path);
  ros::Fd fd;
  std::uint64_t size = 0;  // bytes
};

struct Block {
  std::uint64_t index = 0;  // the block starts at index times the block size
  std::string bytes;        // whole block size; what lies behind the disk's end is zero
};

bool is_zero(std::string_view bytes);
// Whether deflate would gain next to nothing, told by how even its bytes are: so
// are the layers, compressed already, that fill most of a disk.
bool is_dense(std::string_view bytes);

// The numbers of blocks that may hold data, in order, a few MiB of them at a time.
class BlockNumbers {
 public:
  BlockNumbers(const RawDisk& disk, std::uint64_t block_size)
      : disk_(disk), block_size_(block_size) {}
  std::optional<std::vector<std::uint64_t>> next();

 private:
  const RawDisk& disk_;
  std::uint64_t block_size_;
  Extent extent_;
  std::uint64_t at_ = 0;
};

// Nothing when all of it is zero.
std::optional<Block> read_block(const RawDisk& disk, std::uint64_t index, std::uint64_t block_size);

// put(work(block)) for every block that is not all zero: `work` on up to `threads`
// threads, `put` in the calling one, in order. Throws Cancelled on a stop.
template <class Work, class Put>
void for_each_block(const RawDisk& disk, std::uint64_t block_size, unsigned threads,
                    const std::stop_token& stop, Work&& work, Put&& put) {
  using Result = decltype(work(std::declval<Block>()));
  BlockNumbers numbers(disk, block_size);
  in_order(
      threads,
      [&] {
        check_stop(stop);
        return numbers.next();
      },
      [&](const std::vector<std::uint64_t>& batch) {
        std::vector<Result> done;
        for (const std::uint64_t index : batch)
          if (auto block = read_block(disk, index, block_size))
            done.push_back(work(std::move(*block)));
        return done;
      },
      [&](std::vector<Result> done) {
        for (Result& result : done) put(std::move(result));
      });
}

}  // namespace rosbuild
