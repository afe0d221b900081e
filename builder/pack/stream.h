// Helpers of the writers: positioned writes, and work on several threads whose
// results come out in the order of their inputs.
#pragma once

#include <deque>
#include <future>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "runtime/base/fd.h"

namespace rosbuild {

// Writes all of `bytes` at `offset`; throws ros::Error.
void write_at(int fd, std::uint64_t offset, std::string_view bytes);
// Makes the file of `size` zero bytes, without blocks; throws ros::Error.
ros::Fd create_sparse(const std::string& path, std::uint64_t size);
// Throws Cancelled when a stop was requested.
void check_stop(const std::stop_token& stop);
// Copies a file to `offset` of `to`; its holes stay holes. Throws ros::Error.
void copy_sparse(const std::string& file, int to, std::uint64_t offset,
                 const std::stop_token& stop);
// ros::sha256_file for an image: its holes are not read, which takes longer than the digest.
std::string sha256_sparse(const std::string& file);
// Calls found(offset, size) for every stretch of a file that is not a hole.
template <class Found>
void for_each_extent(int fd, std::uint64_t size, Found&& found);
// End of the extent that holds data at or after `from`; {size, size} when none.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};
Extent next_extent(int fd, std::uint64_t from, std::uint64_t size);

// Repeats consume(work(produce())) until produce() gives nothing; `work` runs on
// up to `threads` threads, the other two in the calling thread, in order.
template <class Produce, class Work, class Consume>
void in_order(unsigned threads, Produce&& produce, Work&& work, Consume&& consume) {
  using Item = typename decltype(produce())::value_type;
  using Result = decltype(work(std::declval<Item>()));
  std::deque<std::future<Result>> pending;
  const std::size_t limit = threads < 1 ? 1 : threads;
  while (auto item = produce()) {
    if (pending.size() >= limit) {
      consume(pending.front().get());
      pending.pop_front();
    }
    pending.push_back(std::async(std::launch::async, [&work, item = std::move(*item)]() mutable {
      return work(std::move(item));
    }));
  }
  for (auto& result : pending) consume(result.get());
}

template <class Found>
void for_each_extent(int fd, std::uint64_t size, Found&& found) {
  for (Extent extent = next_extent(fd, 0, size); extent.begin < size;
       extent = next_extent(fd, extent.end, size))
    found(extent.begin, extent.end - extent.begin);
}

}  // namespace rosbuild
