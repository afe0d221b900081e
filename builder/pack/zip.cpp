#include "builder/pack/zip.h"

#include <fcntl.h>

#include "builder/pack/blocks.h"
#include "builder/pack/bytes.h"

namespace rosbuild {
namespace {

constexpr std::uint32_t kSeeZip64 = 0xffffffff;
// Deflate may add a little to what it cannot deflate.
constexpr std::uint64_t kLargestPlain = 0xff000000;

struct Member {
  std::string name;
  std::uint64_t plain_size = 0;
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
  bool large() const { return plain_size > kLargestPlain; }
};

std::string number(auto value) {
  std::string bytes(sizeof(value), '\0');
  put_le(bytes, 0, value);
  return bytes;
}

std::uint32_t small(const Member& member, std::uint64_t size) {
  return member.large() ? kSeeZip64 : static_cast<std::uint32_t>(size);
}

std::uint16_t version_of(const Member& member) { return member.large() ? 45 : 20; }

// What the local header and the central directory say alike.
std::string common(const Member& member) {
  return number(version_of(member)) + number(std::uint16_t{0}) + number(std::uint16_t{8}) +
         number(std::uint16_t{0}) + number(std::uint16_t{0x21}) + number(member.crc) +
         number(small(member, member.size)) + number(small(member, member.plain_size)) +
         number(static_cast<std::uint16_t>(member.name.size())) +
         number(static_cast<std::uint16_t>(member.large() ? 20 : 0));
}

std::string zip64_field(const Member& member) {
  if (!member.large()) return {};
  return number(std::uint16_t{1}) + number(std::uint16_t{16}) + number(member.plain_size) +
         number(member.size);
}

std::string local_header(const Member& member) {
  return "PK\3\4" + common(member) + member.name + zip64_field(member);
}

// Central directory and its end; the directory stands at `at`.
std::string directory(const Member& member, std::uint64_t at) {
  constexpr std::uint16_t kUnix = 3 << 8;
  const std::string entry =
      "PK\1\2" + number(static_cast<std::uint16_t>(kUnix | version_of(member))) + common(member) +
      std::string(6, '\0') + number(std::uint32_t{0100644} << 16) + number(std::uint32_t{0}) +
      member.name + zip64_field(member);
  std::string bytes = entry;
  const bool far = at >= kSeeZip64;
  if (far) {
    constexpr std::uint64_t kRest = 44;
    bytes += "PK\6\6" + number(kRest) + number(std::uint16_t{kUnix | 45}) +
             number(std::uint16_t{45}) + std::string(8, '\0') + number(std::uint64_t{1}) +
             number(std::uint64_t{1}) + number(static_cast<std::uint64_t>(entry.size())) +
             number(at);
    bytes += "PK\6\7" + std::string(4, '\0') + number(at + entry.size()) + number(std::uint32_t{1});
  }
  bytes += "PK\5\6" + std::string(4, '\0') + number(std::uint16_t{1}) + number(std::uint16_t{1}) +
           number(static_cast<std::uint32_t>(entry.size())) +
           number(far ? kSeeZip64 : static_cast<std::uint32_t>(at)) + number(std::uint16_t{0});
  return bytes;
}

}  // namespace

void write_zip(const fs::path& file, const std::string& name, const fs::path& out,
               const DeflateOptions& options) {
  const RawDisk disk(file);
  const ros::Fd fd = create_sparse(out.string(), 0);
  Member member{.name = name, .plain_size = disk.size};
  const std::uint64_t start = local_header(member).size();
  std::uint64_t end = start;
  Deflater deflater(
      [&](std::string_view bytes) {
        write_at(fd.get(), end, bytes);
        end += bytes.size();
      },
      options);
  constexpr std::uint64_t kPiece = 1024 * 1024;
  static const std::string zeros(kPiece, '\0');
  std::uint64_t done = 0;
  const auto put = [&](std::uint64_t to, bool hole) {
    while (done < to) {
      const std::uint64_t size = std::min(kPiece, to - done);
      if (hole)
        deflater.put(std::string_view(zeros).substr(0, size));
      else
        deflater.put(ros::read_at(disk.fd.get(), done, size));
      done += size;
    }
  };
  for_each_extent(disk.fd.get(), disk.size, [&](std::uint64_t begin, std::uint64_t size) {
    put(begin, true);
    put(begin + size, false);
  });
  put(disk.size, true);
  deflater.finish();
  member.size = deflater.size();
  member.crc = deflater.crc();
  write_at(fd.get(), 0, local_header(member));
  write_at(fd.get(), end, directory(member, end));
}

}  // namespace rosbuild
