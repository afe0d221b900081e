#include "builder/pack/tar.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "builder/pack/deflate.h"
#include "builder/pack/tar_header.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"

namespace rosbuild {
namespace {

constexpr std::size_t kRecord = 20 * kTarBlock;  // POSIX: an archive is whole records

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
  TarHeader header;
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

// Two blocks of zeros, and what fills the record behind `total` bytes.
std::string end_of_tar(std::uint64_t total) {
  const std::string end(2 * kTarBlock, '\0');
  return end + tar_padding(total + end.size(), kRecord);
}

void write_entries(const Tree& tree, const Sink& sink) {
  const auto put = [&](std::string_view bytes) {
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
      put(records + tar_padding(records.size(), kTarBlock));
    }
    put(header_of(fields));
    if (entry.type != EntryType::file) continue;
    entry.content.stream(put);
    put(tar_padding(fields.size, kTarBlock));
  }
}

}  // namespace

void write_tar(const Tree& tree, const Sink& sink) {
  std::uint64_t total = 0;
  const auto put = [&](std::string_view bytes) {
    total += bytes.size();
    sink(bytes);
  };
  write_entries(tree, put);
  put(end_of_tar(total));
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

void write_tar_piece(const Tree& tree, const fs::path& out, int level, unsigned threads,
                     std::stop_token stop) {
  write_gzip(out, {level, threads, stop}, [&](const Sink& sink) { write_entries(tree, sink); });
}

void join_tar_pieces(const std::vector<fs::path>& pieces, const fs::path& out) {
  std::uint64_t total = 0;
  for (const auto& piece : pieces) total += gzip_plain_size(piece);
  write_gzip(out, {}, [&](const Sink& sink) { sink(end_of_tar(total)); });
  const std::string end = ros::read_file(out);
  const ros::Fd fd = ros::open_file(out.string(), O_WRONLY | O_TRUNC);
  const auto put = [&](std::string_view bytes) { ros::write_all(fd.get(), bytes); };
  for (const auto& piece : pieces) Content::whole_file(piece).stream(put);
  put(end);
}

}  // namespace rosbuild
