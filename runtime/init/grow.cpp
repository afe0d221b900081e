#include "runtime/init/grow.h"

#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "runtime/base/error.h"

namespace ros {
namespace {

constexpr std::uint64_t kSector = 512;
constexpr std::uint64_t kAlign = 2048;  // sectors: 1 MiB, as every partitioning tool aligns
constexpr std::size_t kHeaderSize = 92;
constexpr std::size_t kMostEntries = 1024;  // 128 is usual

// CRC-32 of IEEE 802.3, which zlib's crc32 is; too little of it to link zlib into init.
std::uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0xEDB88320U : 0);
      made[i] = value;
    }
    return made;
  }();
  std::uint32_t crc = ~0U;
  for (const char c : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

// GPT is little-endian, as is every processor this runs on.
template <typename Number>
Number get(const std::string& bytes, std::size_t offset) {
  Number value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <typename Number>
void put(std::string& bytes, std::size_t offset, Number value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

// Offsets of the header's fields.
constexpr std::size_t kCrc = 16, kMyLba = 24, kOtherLba = 32, kLastUsable = 48, kEntriesLba = 72,
                      kEntryCount = 80, kEntrySize = 84, kEntriesCrc = 88;
// And of an entry's.
constexpr std::size_t kFirst = 32, kLast = 40;

void seal(std::string& header) {
  put<std::uint32_t>(header, kCrc, 0);
  put<std::uint32_t>(header, kCrc, crc32(std::string_view{header}.substr(0, kHeaderSize)));
}

void write_at(int fd, std::uint64_t sector, const std::string& bytes) {
  if (::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(sector * kSector)) !=
      static_cast<ssize_t>(bytes.size()))
    throw Error::from_errno("cannot write the partition table");
}

void flush(int fd) {
  if (::fsync(fd) != 0) throw Error::from_errno("cannot write the partition table");
}

// One of the four entries in an MBR, when it is the last on the disk.
bool grow_mbr(int fd, unsigned number, std::uint64_t sectors, Grown& grown) {
  constexpr std::size_t kTable = 446, kEntry = 16, kEntries = 4, kType = 4, kStart = 8, kCount = 12;
  constexpr char kProtective = '\xee';
  std::string mbr = read_at(fd, 0, kSector);
  if (get<std::uint16_t>(mbr, 510) != 0xaa55 || number == 0 || number > kEntries) return false;
  const auto end_of = [&](std::size_t entry) {
    return std::uint64_t{get<std::uint32_t>(mbr, entry + kStart)} +
           get<std::uint32_t>(mbr, entry + kCount);
  };
  const std::size_t mine = kTable + (number - 1) * kEntry;
  const std::uint64_t first = get<std::uint32_t>(mbr, mine + kStart);
  const std::uint64_t end = end_of(mine);
  for (std::size_t entry = kTable; entry < kTable + kEntries * kEntry; entry += kEntry)
    if (mbr[entry + kType] == kProtective || end_of(entry) > end) return false;
  const std::uint64_t new_end =
      std::min<std::uint64_t>(sectors, first + 0xffffffff) / kAlign * kAlign;
  if (mbr[mine + kType] == 0 || first == 0 || new_end < end + kAlign) return false;
  put(mbr, mine + kCount, static_cast<std::uint32_t>(new_end - first));
  write_at(fd, 0, mbr);
  flush(fd);
  grown = {first * kSector, (new_end - first) * kSector};
  return true;
}

}  // namespace

bool grow_partition(const fs::path& disk, unsigned number, Grown& grown) {
  const Fd fd = open_file(disk.string(), O_RDWR);
  int sector = kSector;
  if (::ioctl(fd.get(), BLKSSZGET, &sector) == 0 && sector != kSector) return false;
  const auto end = ::lseek(fd.get(), 0, SEEK_END);
  if (end < static_cast<off_t>(128 * kSector)) return false;
  const std::uint64_t sectors = static_cast<std::uint64_t>(end) / kSector;

  std::string header = read_at(fd.get(), kSector, kSector);
  std::string checked = header;
  seal(checked);
  if (!header.starts_with("EFI PART")) return grow_mbr(fd.get(), number, sectors, grown);
  if (checked != header) return false;
  const auto count = get<std::uint32_t>(header, kEntryCount);
  const auto size = get<std::uint32_t>(header, kEntrySize);
  if (count == 0 || count > kMostEntries || size < 128 || size > 512 || number == 0 ||
      number > count)
    return false;
  const std::uint64_t table = (std::uint64_t{count} * size + kSector - 1) / kSector;
  std::string entries =
      read_at(fd.get(), get<std::uint64_t>(header, kEntriesLba) * kSector, table * kSector);
  if (crc32(std::string_view{entries}.substr(0, std::size_t{count} * size)) !=
      get<std::uint32_t>(header, kEntriesCrc))
    return false;

  const std::size_t mine = std::size_t{number - 1} * size;
  const auto first = get<std::uint64_t>(entries, mine + kFirst);
  const auto last = get<std::uint64_t>(entries, mine + kLast);
  for (std::size_t at = 0; at < std::size_t{count} * size; at += size)
    if (get<std::uint64_t>(entries, at + kLast) > last) return false;
  const std::uint64_t last_usable = sectors - table - 2;
  const std::uint64_t new_end = (last_usable + 1) / kAlign * kAlign;
  if (first == 0 || new_end < last + 1 + kAlign) return false;

  put(entries, mine + kLast, new_end - 1);
  put(header, kOtherLba, sectors - 1);
  put(header, kLastUsable, last_usable);
  put(header, kEntriesCrc, crc32(std::string_view{entries}.substr(0, std::size_t{count} * size)));
  std::string backup = header;
  put(backup, kMyLba, sectors - 1);
  put(backup, kOtherLba, std::uint64_t{1});
  put(backup, kEntriesLba, sectors - 1 - table);
  seal(header);
  seal(backup);
  // The backup first: whenever the power fails, one whole table is there. Linux reads the backup
  // only with `gpt` on its command line; partitioning tools make a new first table of it.
  write_at(fd.get(), sectors - 1 - table, entries);
  write_at(fd.get(), sectors - 1, backup);
  flush(fd.get());
  write_at(fd.get(), get<std::uint64_t>(header, kEntriesLba), entries);
  write_at(fd.get(), 1, header);
  // The protective MBR says how large the disk is, as far as 32 bits can.
  std::string mbr = read_at(fd.get(), 0, kSector);
  if (mbr[450] == '\xee') {
    put(mbr, 458, static_cast<std::uint32_t>(std::min<std::uint64_t>(sectors - 1, 0xffffffff)));
    write_at(fd.get(), 0, mbr);
  }
  flush(fd.get());
  grown = {first * kSector, (new_end - first) * kSector};
  return true;
}

void resize_partition(const fs::path& disk, unsigned number, const Grown& grown) {
  const Fd fd = open_file(disk.string(), O_RDWR);
  blkpg_partition partition{};
  partition.start = static_cast<long long>(grown.offset);
  partition.length = static_cast<long long>(grown.size);
  partition.pno = static_cast<int>(number);
  blkpg_ioctl_arg argument{BLKPG_RESIZE_PARTITION, 0, sizeof partition, &partition};
  if (::ioctl(fd.get(), BLKPG, &argument) != 0)
    throw Error::from_errno("cannot resize partition " + std::to_string(number) + " of " +
                            disk.string());
}

}  // namespace ros
