#include "builder/pack/deflate.h"

#include <fcntl.h>
#include <zlib.h>

#include <algorithm>
#include <memory>

#include "builder/pack/blocks.h"
#include "builder/pack/bytes.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

constexpr std::size_t kPiece = 1024 * 1024;
constexpr std::size_t kWindow = 32 * 1024;  // of deflate

const Bytef* bytes_of(const std::string& text) {
  return reinterpret_cast<const Bytef*>(text.data());
}

}  // namespace

Deflater::Deflater(Sink sink, DeflateOptions options)
    : sink_(std::move(sink)), options_(std::move(options)) {
  options_.threads = std::max(1U, options_.threads);
}

void Deflater::put(std::string_view bytes) {
  while (!bytes.empty()) {
    if (piece_.bytes.size() == kPiece) send(false);
    const std::size_t count = std::min(bytes.size(), kPiece - piece_.bytes.size());
    piece_.bytes += bytes.substr(0, count);
    bytes.remove_prefix(count);
  }
}

void Deflater::finish() {
  send(true);
  while (!pending_.empty()) take();
}

Deflater::Deflated Deflater::deflate_piece(const Piece& piece, int level) {
  z_stream z{};
  if (deflateInit2(&z, level, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    throw ros::Error{"zlib: cannot start"};
  const std::unique_ptr<z_stream, decltype(&deflateEnd)> guard(&z, deflateEnd);
  if (!piece.dictionary.empty())
    deflateSetDictionary(&z, bytes_of(piece.dictionary),
                         static_cast<uInt>(piece.dictionary.size()));
  std::string out(deflateBound(&z, piece.bytes.size()) + 64, '\0');
  z.next_in = const_cast<Bytef*>(bytes_of(piece.bytes));
  z.avail_in = static_cast<uInt>(piece.bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const int done = deflate(&z, piece.last ? Z_FINISH : Z_SYNC_FLUSH);
  if (done != (piece.last ? Z_STREAM_END : Z_OK) || z.avail_in != 0)
    throw ros::Error{"zlib: cannot deflate"};
  out.resize(z.total_out);
  const uLong crc = crc32(0, bytes_of(piece.bytes), static_cast<uInt>(piece.bytes.size()));
  return {std::move(out), static_cast<std::uint32_t>(crc), piece.bytes.size()};
}

bool Deflater::is_all_zero(const Piece& piece) {
  return !piece.last && piece.bytes.size() == kPiece && piece.dictionary.size() == kWindow &&
         is_zero(piece.dictionary) && is_zero(piece.bytes);
}

void Deflater::send(bool last) {
  check_stop(options_.stop);
  if (pending_.size() >= options_.threads) take();
  Piece next;
  if (!last) next.dictionary = piece_.bytes.substr(piece_.bytes.size() - kWindow);
  piece_.last = last;
  // A disk is mostly zeros: deflated once, and well, they cost no more.
  const bool zeros = is_all_zero(piece_);
  if (zeros && zeros_) {
    pending_.push_back(*zeros_);
  } else {
    pending_.push_back(
        std::async(std::launch::async, [piece = std::move(piece_), zeros, level = options_.level] {
          return deflate_piece(piece, zeros ? 9 : is_dense(piece.bytes) ? 0 : level);
        }).share());
    if (zeros) zeros_ = pending_.back();
  }
  piece_ = std::move(next);
}

void Deflater::take() {
  const Deflated& done = pending_.front().get();
  crc_ =
      static_cast<std::uint32_t>(crc32_combine(crc_, done.crc, static_cast<z_off_t>(done.plain)));
  plain_ += done.plain;
  size_ += done.bytes.size();
  sink_(done.bytes);
  pending_.pop_front();
}

void write_gzip(const fs::path& out, DeflateOptions options,
                const std::function<void(const Sink&)>& produce) {
  const ros::Fd fd = ros::open_file(out.string(), O_WRONLY | O_CREAT | O_TRUNC);
  // No name, no time, "unknown" system: nothing that differs between hosts.
  ros::write_all(fd.get(), std::string("\x1f\x8b\x08\0\0\0\0\0\x00\xff", 10));
  Deflater deflater([&](std::string_view bytes) { ros::write_all(fd.get(), bytes); },
                    std::move(options));
  produce([&](std::string_view bytes) { deflater.put(bytes); });
  deflater.finish();
  std::string trailer(8, '\0');
  put_le<std::uint32_t>(trailer, 0, deflater.crc());
  put_le<std::uint32_t>(trailer, 4, static_cast<std::uint32_t>(deflater.plain_size()));
  ros::write_all(fd.get(), trailer);
}

std::uint64_t gzip_plain_size(const fs::path& file) {
  const ros::Fd fd = ros::open_file(file.string(), O_RDONLY);
  std::uint64_t size = 0;
  const std::string field = ros::read_at(fd.get(), fs::file_size(file) - 4, 4);
  for (std::size_t i = 4; i-- > 0;) size = size << 8 | static_cast<unsigned char>(field[i]);
  return size;
}

}  // namespace rosbuild
