// Real .debs for tests, written by libarchive: not necessarily good ones.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace testing_deb {

struct Item {
  std::string path;
  unsigned type = AE_IFREG;
  std::string content;  // or link target
  unsigned mode = 0644;
  bool hardlink = false;
  long uid = 0;
  long gid = 0;
};

inline std::string write_archive(int (*format)(archive*), int (*filter)(archive*),
                                 const std::vector<Item>& items) {
  std::string bytes(16 * 1024 * 1024, '\0');
  std::size_t used = 0;
  archive* a = archive_write_new();
  format(a);
  filter(a);
  archive_write_open_memory(a, bytes.data(), bytes.size(), &used);
  for (const auto& item : items) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, item.path.c_str());
    archive_entry_set_perm(entry, item.mode);
    archive_entry_set_mtime(entry, 1'700'000'000, 0);
    archive_entry_set_uid(entry, item.uid);
    archive_entry_set_gid(entry, item.gid);
    if (item.hardlink) {
      archive_entry_set_filetype(entry, AE_IFREG);
      archive_entry_set_hardlink(entry, item.content.c_str());
    } else {
      archive_entry_set_filetype(entry, item.type);
      if (item.type == AE_IFLNK) archive_entry_set_symlink(entry, item.content.c_str());
      if (item.type == AE_IFREG)
        archive_entry_set_size(entry, static_cast<long>(item.content.size()));
    }
    archive_write_header(a, entry);
    if (item.type == AE_IFREG && !item.hardlink && !item.content.empty())
      archive_write_data(a, item.content.data(), item.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(a);
  archive_write_free(a);
  bytes.resize(used);
  return bytes;
}

inline std::string tar(const std::vector<Item>& items, int (*filter)(archive*)) {
  return write_archive(archive_write_set_format_gnutar, filter, items);
}

inline std::string control(const std::string& name, const std::string& more = "") {
  return "Package: " + name + "\nVersion: 1.0-1\nArchitecture: amd64\nMaintainer: x <x@y>\n" +
         more + "Description: x\n";
}

// The .deb file's bytes.
inline std::string deb(const std::string& control_text, const std::vector<Item>& items,
                       int (*filter)(archive*) = archive_write_add_filter_xz,
                       const std::string& suffix = "xz") {
  return write_archive(archive_write_set_format_ar_svr4, archive_write_add_filter_none,
                       {{"debian-binary", AE_IFREG, "2.0\n"},
                        {"control.tar.xz", AE_IFREG,
                         tar({{"./control", AE_IFREG, control_text}}, archive_write_add_filter_xz)},
                        {"data.tar." + suffix, AE_IFREG, tar(items, filter)}});
}

}  // namespace testing_deb
