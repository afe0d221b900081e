#include "builder/pack/tar.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <zlib.h>

#include <memory>
#include <vector>

#include "builder/pack/stream.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

using ros::Error;

constexpr std::size_t kBlock = 512;
constexpr std::size_t kRecord = 20 * kBlock;  // POSIX: an archive is whole records

std::string padding(std::uint64_t size, std::size_t unit) {
  return std::string((unit - size % unit) % unit, '\0');
}

class Header {
 public:
  Header() : bytes_(kBlock, '\0') {}
  void text(std::size_t offset, std::size_t size, std::string_view value) {
    bytes_.replace(offset, std::min(size, value.size()), value.substr(0, size));
  }
  void octal(std::size_t offset, std::size_t size, std::uint64_t value) {
    text(offset, size, fmt::format("{:0{}o}", value, size - 1));
  }
  std::string finish() {
    text(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : bytes_) sum += static_cast<unsigned char>(c);
    text(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
    return bytes_;
  }

 private:
  std::string bytes_;
};

struct Fields {
  std::string path;
  char type = '0';
  unsigned mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
  std::string target;
  unsigned major = 0;
  unsigned minor = 0;
};

// The path's place to be split between prefix and name, npos when it fits nowhere.
std::size_t split_place(const std::string& path) {
  if (path.size() <= 100) return 0;
  for (std::size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1))
    if (slash > 0 && slash <= 155 && path.size() - slash - 1 <= 100 && slash + 1 < path.size())
      return slash;
  return std::string::npos;
}

std::string header_of(const Fields& fields) {
  Header header;
  const std::size_t slash = split_place(fields.path);
  if (slash == 0 || slash == std::string::npos) {
    header.text(0, 100, fields.path);
  } else {
    header.text(345, 155, std::string_view(fields.path).substr(0, slash));
    header.text(0, 100, std::string_view(fields.path).substr(slash + 1));
  }
  constexpr std::uint32_t kIdLimit = 1U << 21;
  header.octal(100, 8, fields.mode);
  header.octal(108, 8, fields.uid < kIdLimit ? fields.uid : 0);
  header.octal(116, 8, fields.gid < kIdLimit ? fields.gid : 0);
  header.octal(124, 12, fields.size < (1ULL << 33) ? fields.size : 0);
  header.octal(136, 12, fields.mtime >= 0 ? static_cast<std::uint64_t>(fields.mtime) : 0);
  header.text(156, 1, std::string(1, fields.type));
  header.text(157, 100, fields.target);
  header.text(257, 8, std::string_view("ustar\00000", 8));
  header.octal(329, 8, fields.major);
  header.octal(337, 8, fields.minor);
  return header.finish();
}

std::string pax_record(std::string_view key, std::string_view value) {
  // The length counts its own digits.
  std::size_t length = key.size() + value.size() + 3;
  length += std::to_string(length).size();
  if (std::to_string(length).size() + key.size() + value.size() + 3 != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

std::string pax_records(const Fields& fields) {
  std::string records;
  if (fields.uid >= 1U << 21) records += pax_record("uid", std::to_string(fields.uid));
  if (fields.gid >= 1U << 21) records += pax_record("gid", std::to_string(fields.gid));
  if (split_place(fields.path) == std::string::npos) records += pax_record("path", fields.path);
  if (fields.target.size() > 100) records += pax_record("linkpath", fields.target);
  if (fields.size >= 1ULL << 33) records += pax_record("size", std::to_string(fields.size));
  return records;
}

Fields fields_of(const std::string& path, const Entry& entry) {
  Fields fields{
      .path = path, .mode = entry.mode, .uid = entry.uid, .gid = entry.gid, .mtime = entry.mtime};
  switch (entry.type) {
    case EntryType::directory:
      fields.type = '5';
      fields.path += '/';
      break;
    case EntryType::file:
      fields.size = entry.content.size();
      break;
    case EntryType::symlink:
      fields.type = '2';
      fields.target = entry.target;
      break;
    case EntryType::char_device:
    case EntryType::block_device:
      fields.type = entry.type == EntryType::char_device ? '3' : '4';
      fields.major = entry.major;
      fields.minor = entry.minor;
      break;
  }
  return fields;
}

}  // namespace

void write_tar(const Tree& tree, const Sink& sink) {
  std::uint64_t total = 0;
  const auto put = [&](std::string_view bytes) {
    total += bytes.size();
    if (!bytes.empty()) sink(bytes);
  };
  for (const auto& [path, entry] : tree.entries()) {
    const Fields fields = fields_of(path, entry);
    if (const std::string records = pax_records(fields); !records.empty()) {
      put(header_of({.path = "PaxHeader",
                     .type = 'x',
                     .mode = 0644,
                     .size = records.size(),
                     .mtime = entry.mtime}));
      put(records + padding(records.size(), kBlock));
    }
    put(header_of(fields));
    if (entry.type != EntryType::file) continue;
    entry.content.stream(put);
    put(padding(fields.size, kBlock));
  }
  put(std::string(2 * kBlock, '\0'));
  put(padding(total, kRecord));
}

void write_tar(const Tree& tree, int fd) {
  // Headers and small files go out together: one system call each is slow.
  constexpr std::size_t kBuffer = 1024 * 1024;
  std::string buffer;
  write_tar(tree, [&](std::string_view bytes) {
    buffer += bytes;
    if (buffer.size() < kBuffer) return;
    ros::write_all(fd, buffer);
    buffer.clear();
  });
  ros::write_all(fd, buffer);
}

namespace {

constexpr std::size_t kPiece = 1024 * 1024;
constexpr std::size_t kWindow = 32 * 1024;  // of deflate

struct Piece {
  std::string dictionary;  // the end of the piece before
  std::string bytes;
  bool last = false;
};

struct Deflated {
  std::string bytes;
  uLong crc = 0;
  std::size_t plain = 0;
};

Deflated deflate_piece(const Piece& piece, int level) {
  z_stream z{};
  if (deflateInit2(&z, level, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    throw Error{"zlib: cannot start"};
  const std::unique_ptr<z_stream, decltype(&deflateEnd)> guard(&z, deflateEnd);
  const auto bytes_of = [](const std::string& text) {
    return reinterpret_cast<const Bytef*>(text.data());
  };
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
    throw Error{"zlib: cannot deflate"};
  out.resize(z.total_out);
  return {std::move(out), crc32(0, bytes_of(piece.bytes), static_cast<uInt>(piece.bytes.size())),
          piece.bytes.size()};
}

std::string little_endian32(std::uint64_t value) {
  std::string bytes(4, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(value & 0xff);
    value >>= 8;
  }
  return bytes;
}

// Cuts a stream into pieces and hands full ones to deflating threads.
class Deflater {
 public:
  Deflater(int fd, int level, unsigned threads, std::stop_token stop)
      : fd_(fd), level_(level), threads_(threads < 1 ? 1 : threads), stop_(std::move(stop)) {
    // No name, no time, "unknown" system: nothing that differs between hosts.
    ros::write_all(fd_, std::string("\x1f\x8b\x08\0\0\0\0\0\x00\xff", 10));
  }

  void put(std::string_view bytes) {
    while (!bytes.empty()) {
      if (piece_.bytes.size() == kPiece) send(false);
      const std::size_t count = std::min(bytes.size(), kPiece - piece_.bytes.size());
      piece_.bytes += bytes.substr(0, count);
      bytes.remove_prefix(count);
    }
  }

  void finish() {
    send(true);
    while (!pending_.empty()) take();
    ros::write_all(fd_, little_endian32(crc_) + little_endian32(plain_));
  }

 private:
  void send(bool last) {
    check_stop(stop_);
    if (pending_.size() >= threads_) take();
    Piece next;
    if (!last) next.dictionary = piece_.bytes.substr(piece_.bytes.size() - kWindow);
    piece_.last = last;
    pending_.push_back(std::async(std::launch::async, [piece = std::move(piece_), level = level_] {
      return deflate_piece(piece, level);
    }));
    piece_ = std::move(next);
  }

  void take() {
    const Deflated done = pending_.front().get();
    pending_.pop_front();
    crc_ = crc32_combine(crc_, done.crc, static_cast<z_off_t>(done.plain));
    plain_ += done.plain;
    ros::write_all(fd_, done.bytes);
  }

  int fd_;
  int level_;
  std::size_t threads_;
  std::stop_token stop_;
  Piece piece_;
  std::deque<std::future<Deflated>> pending_;
  uLong crc_ = 0;
  std::uint64_t plain_ = 0;
};

}  // namespace

void write_tar_gz(const Tree& tree, const fs::path& out, int level, unsigned threads,
                  std::stop_token stop) {
  const ros::Fd fd = ros::open_file(out.string(), O_WRONLY | O_CREAT | O_TRUNC);
  Deflater deflater(fd.get(), level, threads, std::move(stop));
  write_tar(tree, [&](std::string_view bytes) { deflater.put(bytes); });
  deflater.finish();
}

}  // namespace rosbuild
