// Deflate (RFC 1951) on several threads, and the gzip (RFC 1952) around it. The
// stream is cut into pieces of 1 MiB, so the bytes depend on input and level only.
#pragma once

#include <deque>
#include <future>
#include <optional>
#include <stop_token>
#include <string>

#include "builder/pack/tar.h"

namespace rosbuild {

struct DeflateOptions {
  int level = 6;
  unsigned threads = 1;
  std::stop_token stop = {};
};

class Deflater {
 public:
  Deflater(Sink sink, DeflateOptions options);
  void put(std::string_view bytes);
  void finish();  // ends the stream; then the figures below are complete

  std::uint32_t crc() const { return crc_; }  // CRC-32 of the input
  std::uint64_t plain_size() const { return plain_; }
  std::uint64_t size() const { return size_; }  // of what went to the sink

 private:
  struct Piece {
    std::string dictionary;  // the end of the piece before
    std::string bytes;
    bool last = false;
  };
  struct Deflated {
    std::string bytes;
    std::uint32_t crc = 0;
    std::size_t plain = 0;
  };
  static Deflated deflate_piece(const Piece& piece, int level);
  static bool is_all_zero(const Piece& piece);
  void send(bool last);
  void take();

  Sink sink_;
  DeflateOptions options_;
  Piece piece_;
  std::optional<std::shared_future<Deflated>> zeros_;  // a whole piece of them after zeros
  std::deque<std::shared_future<Deflated>> pending_;
  std::uint32_t crc_ = 0;
  std::uint64_t plain_ = 0;
  std::uint64_t size_ = 0;
};

// A gzip file of what `produce` gives to its sink; without name and time.
void write_gzip(const fs::path& out, DeflateOptions options,
                const std::function<void(const Sink&)>& produce);
// What a gzip file of one member says of the size of its content (less than 4 GiB).
std::uint64_t gzip_plain_size(const fs::path& file);

}  // namespace rosbuild
