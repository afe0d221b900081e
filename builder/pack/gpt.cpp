#include "builder/pack/gpt.h"

#include <zlib.h>

#include "builder/pack/bytes.h"
#include "builder/pack/stream.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

constexpr std::uint64_t kEntries = 128;
constexpr std::uint64_t kEntrySize = 128;
constexpr std::uint64_t kTableSectors = kEntries * kEntrySize / kSector;

std::uint32_t checksum(const std::string& bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

std::string table_of(const std::vector<Partition>& partitions) {
  std::string table(kEntries * kEntrySize, '\0');
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    const Partition& partition = partitions[i];
    const std::size_t at = i * kEntrySize;
    put_text(table, at, guid_bytes(partition.type));
    put_text(table, at + 16, guid_bytes(partition.guid));
    put_le<std::uint64_t>(table, at + 32, partition.offset / kSector);
    put_le<std::uint64_t>(table, at + 40, (partition.offset + partition.size) / kSector - 1);
    for (std::size_t c = 0; c < partition.name.size() && c < 36; ++c)
      table[at + 56 + 2 * c] = partition.name[c];
  }
  return table;
}

std::string header(std::uint64_t here, std::uint64_t other, std::uint64_t table_at,
                   std::uint64_t sectors, const std::string& disk_guid, const std::string& table) {
  constexpr std::size_t kHeaderSize = 92;
  std::string bytes(kHeaderSize, '\0');
  put_text(bytes, 0, "EFI PART");
  put_le<std::uint32_t>(bytes, 8, 0x00010000);  // revision
  put_le<std::uint32_t>(bytes, 12, kHeaderSize);
  put_le<std::uint64_t>(bytes, 24, here);
  put_le<std::uint64_t>(bytes, 32, other);
  put_le<std::uint64_t>(bytes, 40, 2 + kTableSectors);            // first usable sector
  put_le<std::uint64_t>(bytes, 48, sectors - 2 - kTableSectors);  // last one
  put_text(bytes, 56, guid_bytes(disk_guid));
  put_le<std::uint64_t>(bytes, 72, table_at);
  put_le<std::uint32_t>(bytes, 80, kEntries);
  put_le<std::uint32_t>(bytes, 84, kEntrySize);
  put_le<std::uint32_t>(bytes, 88, checksum(table));
  put_le<std::uint32_t>(bytes, 16, checksum(bytes));
  return bytes;
}

std::string protective_mbr(std::uint64_t sectors, const std::string& boot_code) {
  std::string mbr(kSector, '\0');
  put_text(mbr, 0, std::string_view(boot_code).substr(0, 440));
  constexpr std::size_t kFirst = 446;
  put_text(mbr, kFirst + 1, std::string_view("\x00\x02\x00\xee\xff\xff\xff", 7));
  put_le<std::uint32_t>(mbr, kFirst + 8, 1);
  put_le<std::uint32_t>(
      mbr, kFirst + 12,
      static_cast<std::uint32_t>(std::min<std::uint64_t>(sectors - 1, 0xffffffff)));
  put_le<std::uint16_t>(mbr, 510, 0xaa55);
  return mbr;
}

}  // namespace

void write_gpt(int fd, std::uint64_t disk_size, const std::string& disk_guid,
               const std::vector<Partition>& partitions, const std::string& boot_code) {
  const std::uint64_t sectors = disk_size / kSector;
  const std::string table = table_of(partitions);
  write_at(fd, 0, protective_mbr(sectors, boot_code));
  write_at(fd, kSector, header(1, sectors - 1, 2, sectors, disk_guid, table));
  write_at(fd, 2 * kSector, table);
  const std::uint64_t backup = sectors - 1 - kTableSectors;
  write_at(fd, backup * kSector, table);
  write_at(fd, (sectors - 1) * kSector, header(sectors - 1, 1, backup, sectors, disk_guid, table));
}

}  // namespace rosbuild
