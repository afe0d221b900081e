#include "builder/pack/fat.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "builder/pack/bytes.h"
#include "builder/pack/stream.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

using ros::Error;

constexpr std::uint32_t kSectorSize = 512;
constexpr std::uint32_t kEntrySize = 32;
constexpr std::uint32_t kRootEntries = 512;  // FAT16 only
constexpr std::uint64_t kFat32From = 64ULL << 20;

struct Layout {
  bool fat32 = false;
  std::uint32_t sectors = 0;
  std::uint32_t reserved = 0;
  std::uint32_t fat_sectors = 0;
  std::uint32_t root_sectors = 0;  // FAT16 only
  std::uint32_t clusters = 0;
  std::uint32_t cluster_sectors = 1;
  std::uint32_t data_sector() const { return reserved + 2 * fat_sectors + root_sectors; }
};

Layout layout_of(std::uint64_t size, std::uint32_t cluster) {
  Layout layout;
  layout.cluster_sectors = cluster / kSectorSize;
  layout.fat32 = size >= kFat32From;
  layout.sectors = static_cast<std::uint32_t>(size / kSectorSize);
  layout.reserved = layout.fat32 ? 32 : 1;
  layout.root_sectors = layout.fat32 ? 0 : kRootEntries * kEntrySize / kSectorSize;
  const std::uint32_t per_sector = kSectorSize / (layout.fat32 ? 4 : 2);
  // Enough for every cluster that is left; the few that the tables take do not matter.
  const std::uint32_t most =
      (layout.sectors - layout.reserved - layout.root_sectors) / layout.cluster_sectors;
  layout.fat_sectors = (most + 2 + per_sector - 1) / per_sector;
  layout.clusters = (layout.sectors - layout.data_sector()) / layout.cluster_sectors;
  return layout;
}

struct Case {
  bool upper = false;
  bool lower = false;
};

Case case_of(std::string_view text) {
  Case found;
  for (const char c : text) {
    found.upper |= c >= 'A' && c <= 'Z';
    found.lower |= c >= 'a' && c <= 'z';
  }
  return found;
}

// The 11 bytes of a name and the flags that tell its case (as Windows NT does).
struct ShortName {
  std::string bytes;
  unsigned char flags = 0;
};

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Nothing when the name is longer than that, or of both cases.
std::optional<ShortName> short_name(const std::string& path) {
  const std::string name = name_of(path);
  const auto dot = name.rfind('.');
  const std::string base = name.substr(0, dot);
  const std::string extension = dot == std::string::npos ? "" : name.substr(dot + 1);
  const auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  const auto mixed = [](const Case& found) { return found.upper && found.lower; };
  if (base.empty() || name.ends_with('.') || base.size() > 8 || extension.size() > 3 ||
      !std::ranges::all_of(base + extension, allowed) || mixed(case_of(base)) ||
      mixed(case_of(extension)))
    return std::nullopt;
  ShortName result{fmt::format("{:<8}{:<3}", base, extension)};
  for (char& c : result.bytes)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (case_of(base).lower) result.flags |= 0x08;
  if (case_of(extension).lower) result.flags |= 0x10;
  return result;
}

// --- long names: entries of 13 characters before the file's own, the last ones first

constexpr std::size_t kLongPiece = 13;
constexpr std::size_t kLongestName = 255;

void check_long_name(const std::string& path) {
  const std::string name = name_of(path);
  const bool good = std::ranges::all_of(name, [](char c) {
    return c >= ' ' && c < 0x7f &&
           std::string_view{"\"*/:<>?\\|"}.find(c) == std::string_view::npos;
  });
  if (!good || name.size() > kLongestName || name.ends_with('.') || name.ends_with(' '))
    throw Error{fmt::format("{}: not a name for a FAT file system", path)};
}

// What readers of short names see: unique in a folder, since no short name of ours has a "~".
ShortName alias_of(std::size_t place) { return {fmt::format("{:06X}~1   ", place)}; }

std::string long_entries(const std::string& name, const std::string& alias) {
  constexpr std::array<std::size_t, kLongPiece> kPlaces{1,  3,  5,  7,  9,  14, 16,
                                                        18, 20, 22, 24, 28, 30};
  std::uint8_t sum = 0;
  for (const char c : alias)
    sum = static_cast<std::uint8_t>((sum << 7 | sum >> 1) + static_cast<unsigned char>(c));
  const std::size_t pieces = (name.size() + kLongPiece - 1) / kLongPiece;
  std::string bytes;
  for (std::size_t piece = pieces; piece > 0; --piece) {
    std::string entry(kEntrySize, '\0');
    const bool last = piece == pieces;
    put_le(entry, 0, static_cast<std::uint8_t>(piece | (last ? 0x40 : 0)));
    put_le<std::uint8_t>(entry, 11, 0x0f);
    put_le(entry, 13, sum);
    for (std::size_t i = 0; i < kLongPiece; ++i) {
      const std::size_t at = (piece - 1) * kLongPiece + i;
      // One zero ends the name, and the rest is filled up.
      const unsigned code = at < name.size()    ? static_cast<unsigned char>(name[at])
                            : at == name.size() ? 0
                                                : 0xffff;
      put_le(entry, kPlaces[i], static_cast<std::uint16_t>(code));
    }
    bytes += entry;
  }
  return bytes;
}

// Of a file in its folder.
std::size_t entry_count(const std::string& path) {
  if (short_name(path)) return 1;
  check_long_name(path);
  return 1 + (name_of(path).size() + kLongPiece - 1) / kLongPiece;
}

struct Node {
  std::string path;
  const Entry* entry = nullptr;  // nullptr: the root
  std::vector<std::size_t> children;
  std::size_t parent = 0;
  std::uint64_t size = 0;
  std::uint32_t cluster = 0;  // first one; 0: none
  bool folder() const { return !entry || entry->type == EntryType::directory; }
};

std::vector<Node> nodes_of(const Tree& tree) {
  std::vector<Node> nodes{Node{}};
  const auto index_of = [&](std::string_view path) {
    return static_cast<std::size_t>(std::ranges::find(nodes, path, &Node::path) - nodes.begin());
  };
  for (const auto& [path, entry] : tree.entries()) {
    if (entry.type != EntryType::directory && entry.type != EntryType::file)
      throw Error{path + ": FAT holds files and folders only"};
    const auto slash = path.rfind('/');
    const std::size_t parent =
        slash == std::string::npos ? 0 : index_of(std::string_view(path).substr(0, slash));
    nodes[parent].children.push_back(nodes.size());
    nodes.push_back({.path = path, .entry = &entry, .parent = parent});
  }
  for (Node& node : nodes) {
    if (!node.folder()) {
      node.size = node.entry->content.size();
      continue;
    }
    // The volume label is the root's first entry, "." and ".." are those of others.
    std::size_t count = node.entry ? 2 : 1;
    for (const std::size_t child : node.children) count += entry_count(nodes[child].path);
    node.size = count * kEntrySize;
  }
  return nodes;
}

std::string entry_bytes(std::string_view name, unsigned char attributes, unsigned char flags,
                        std::int64_t mtime, std::uint32_t cluster, std::uint32_t size) {
  std::string bytes(kEntrySize, '\0');
  const time_t seconds = static_cast<time_t>(mtime);
  tm utc{};
  ::gmtime_r(&seconds, &utc);
  const auto date = static_cast<std::uint16_t>(std::max(0, utc.tm_year - 80) << 9 |
                                               (utc.tm_mon + 1) << 5 | utc.tm_mday);
  const auto clock =
      static_cast<std::uint16_t>(utc.tm_hour << 11 | utc.tm_min << 5 | utc.tm_sec / 2);
  put_text(bytes, 0, name);
  put_le(bytes, 11, attributes);
  put_le(bytes, 12, flags);
  put_le(bytes, 14, clock);  // created
  put_le(bytes, 16, date);
  put_le(bytes, 18, date);  // accessed
  put_le(bytes, 20, static_cast<std::uint16_t>(cluster >> 16));
  put_le(bytes, 22, clock);  // modified
  put_le(bytes, 24, date);
  put_le(bytes, 26, static_cast<std::uint16_t>(cluster & 0xffff));
  put_le(bytes, 28, size);
  return bytes;
}

std::string folder_bytes(const std::vector<Node>& nodes, const Node& node, const FatSpec& spec) {
  constexpr unsigned char kLabel = 0x08, kFolder = 0x10, kArchive = 0x20;
  std::string bytes;
  if (!node.entry) {
    const std::int64_t mtime = node.children.empty() ? 0 : nodes[node.children[0]].entry->mtime;
    bytes += entry_bytes(fmt::format("{:<11}", spec.label), kLabel, 0, mtime, 0, 0);
  } else {
    const Node& parent = nodes[node.parent];
    // The root is cluster 0 here, whatever its real one.
    const std::uint32_t up = parent.entry ? parent.cluster : 0;
    bytes += entry_bytes(".          ", kFolder, 0, node.entry->mtime, node.cluster, 0);
    bytes += entry_bytes("..         ", kFolder, 0, node.entry->mtime, up, 0);
  }
  for (const std::size_t index : node.children) {
    const Node& child = nodes[index];
    const auto plain = short_name(child.path);
    const ShortName name = plain ? *plain : alias_of(index);
    if (!plain) bytes += long_entries(name_of(child.path), name.bytes);
    bytes +=
        entry_bytes(name.bytes, child.folder() ? kFolder : kArchive, name.flags, child.entry->mtime,
                    child.cluster, child.folder() ? 0 : static_cast<std::uint32_t>(child.size));
  }
  return bytes;
}

std::string boot_sector(const Layout& layout, const FatSpec& spec, std::uint32_t root_cluster) {
  std::string bytes(kSectorSize, '\0');
  put_text(bytes, 0, "\xeb\xfe\x90");  // jumps to itself: nothing boots from here
  put_text(bytes, 3, "ROSBUILD");
  put_le<std::uint16_t>(bytes, 11, kSectorSize);
  put_le(bytes, 13, static_cast<std::uint8_t>(layout.cluster_sectors));
  put_le<std::uint16_t>(bytes, 14, static_cast<std::uint16_t>(layout.reserved));
  put_le<std::uint8_t>(bytes, 16, 2);  // tables
  put_le<std::uint16_t>(bytes, 17, layout.fat32 ? 0 : kRootEntries);
  const bool small = !layout.fat32 && layout.sectors < 65536;
  put_le<std::uint16_t>(bytes, 19, small ? static_cast<std::uint16_t>(layout.sectors) : 0);
  put_le<std::uint8_t>(bytes, 21, 0xf8);  // a fixed disk
  if (!layout.fat32)
    put_le<std::uint16_t>(bytes, 22, static_cast<std::uint16_t>(layout.fat_sectors));
  put_le<std::uint16_t>(bytes, 24, 63);  // sectors and heads of a geometry nobody uses
  put_le<std::uint16_t>(bytes, 26, 255);
  put_le<std::uint32_t>(bytes, 28, static_cast<std::uint32_t>(spec.hidden));
  put_le<std::uint32_t>(bytes, 32, small ? 0 : layout.sectors);
  std::size_t at = 36;
  if (layout.fat32) {
    put_le<std::uint32_t>(bytes, 36, layout.fat_sectors);
    put_le<std::uint32_t>(bytes, 44, root_cluster);
    put_le<std::uint16_t>(bytes, 48, 1);  // information sector
    put_le<std::uint16_t>(bytes, 50, 6);  // copy of the boot sector
    at = 64;
  }
  put_le<std::uint8_t>(bytes, at, 0x80);
  put_le<std::uint8_t>(bytes, at + 2, 0x29);  // serial, label and type follow
  put_le<std::uint32_t>(bytes, at + 3, spec.serial);
  put_text(bytes, at + 7, fmt::format("{:<11}", spec.label));
  put_text(bytes, at + 18, layout.fat32 ? "FAT32   " : "FAT16   ");
  put_le<std::uint16_t>(bytes, 510, 0xaa55);
  return bytes;
}

std::string information_sector(std::uint32_t free, std::uint32_t next) {
  std::string bytes(kSectorSize, '\0');
  put_text(bytes, 0, "RRaA");
  put_text(bytes, 484, "rrAa");
  put_le<std::uint32_t>(bytes, 488, free);
  put_le<std::uint32_t>(bytes, 492, next);
  put_le<std::uint16_t>(bytes, 510, 0xaa55);
  return bytes;
}

}  // namespace

void write_fat(const Tree& tree, int fd, std::uint64_t offset, const FatSpec& spec) {
  if (spec.label.size() > 11) throw Error{"a FAT label has at most 11 characters"};
  const Layout layout = layout_of(spec.size, spec.cluster);
  // The number of clusters alone tells readers which FAT it is.
  if (layout.fat32 ? layout.clusters < 65525 : layout.clusters < 4085 || layout.clusters >= 65525)
    throw Error{fmt::format("{} bytes suit neither FAT16 nor FAT32 here", spec.size)};
  std::vector<Node> nodes = nodes_of(tree);
  if (!layout.fat32 && nodes[0].size > kRootEntries * kEntrySize)
    throw Error{"too many files in the root of a FAT file system"};

  // Clusters in order, each file in one piece.
  const std::uint32_t width = layout.fat32 ? 4 : 2;
  const std::uint32_t end_mark = layout.fat32 ? 0x0fffffff : 0xffff;
  std::string table;
  const auto append = [&](std::uint32_t value) {
    for (std::uint32_t i = 0; i < width; ++i) table += static_cast<char>(value >> (8 * i));
  };
  append(end_mark & ~0x07U);  // the media byte in the first entry
  append(end_mark);
  std::uint32_t next = 2;
  for (Node& node : nodes) {
    if ((!node.entry && !layout.fat32) || node.size == 0) continue;
    const auto count = static_cast<std::uint32_t>((node.size + spec.cluster - 1) / spec.cluster);
    if (count > layout.clusters - (next - 2))
      throw Error{fmt::format("the files do not fit a FAT file system of {} bytes", spec.size)};
    node.cluster = next;
    for (std::uint32_t i = 1; i < count; ++i) append(next + i);
    append(end_mark);
    next += count;
  }

  const auto write_sector = [&](std::uint64_t sector, std::string_view bytes) {
    write_at(fd, offset + sector * kSectorSize, bytes);
  };
  const std::string boot = boot_sector(layout, spec, nodes[0].cluster);
  write_sector(0, boot);
  if (layout.fat32) {
    const std::string information = information_sector(layout.clusters - (next - 2), next);
    write_sector(1, information);
    write_sector(6, boot);
    write_sector(7, information);
  }
  write_sector(layout.reserved, table);
  write_sector(layout.reserved + layout.fat_sectors, table);
  for (const Node& node : nodes) {
    const std::uint64_t place =
        node.cluster
            ? layout.data_sector() + std::uint64_t{node.cluster - 2} * layout.cluster_sectors
            : layout.reserved + 2 * layout.fat_sectors;  // FAT16's root
    if (node.folder()) {
      write_sector(place, folder_bytes(nodes, node, spec));
      continue;
    }
    std::uint64_t at = offset + place * kSectorSize;
    node.entry->content.stream([&](std::string_view piece) {
      write_at(fd, at, piece);
      at += piece.size();
    });
  }
}

}  // namespace rosbuild
