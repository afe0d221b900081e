#include "builder/assemble/ld_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "builder/assemble/elf.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

struct Architecture {
  std::string multiarch;
  std::uint32_t flags;  // FLAG_ELF_LIBC6 with the architecture's bits (ldconfig.h of glibc)
};

Architecture describe(const std::string& arch) {
  if (arch == "amd64") return {"x86_64-linux-gnu", 0x0303};
  if (arch == "arm64") return {"aarch64-linux-gnu", 0x0a03};
  throw ros::Error{fmt::format("no ld.so.cache for architecture {}", arch)};
}

std::vector<std::string> folders(const Architecture& arch) {
  return {"usr/local/lib", "usr/local/lib/" + arch.multiarch, "usr/lib/" + arch.multiarch,
          "usr/lib"};
}

bool library_name(std::string_view name) {
  return (name.starts_with("lib") || name.starts_with("ld-")) &&
         (name.ends_with(".so") || name.find(".so.") != std::string_view::npos);
}

// Calls with the path of every entry directly in `folder` that is named like a library.
template <class Call>
void each_library(const Tree& tree, const std::string& folder, Call&& call) {
  const std::string prefix = folder + "/";
  for (auto it = tree.entries().lower_bound(prefix);
       it != tree.entries().end() && it->first.starts_with(prefix); ++it) {
    const std::string_view name = std::string_view(it->first).substr(prefix.size());
    if (name.find('/') == std::string_view::npos && library_name(name) &&
        it->second.type != EntryType::directory)
      call(it->first, std::string(name));
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The order of _dl_cache_libcmp: bytewise, but runs of digits by value, and a
// digit is greater than anything else. ld.so finds names by bisection, so the
// order must be exactly its own.
int compare_names(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size()) {
    const char c = a[i];
    const char d = j < b.size() ? b[j] : '\0';
    if (is_digit(c) && is_digit(d)) {
      unsigned long x = 0;
      unsigned long y = 0;
      for (; i < a.size() && is_digit(a[i]); ++i)
        x = x * 10 + static_cast<unsigned long>(a[i] - '0');
      for (; j < b.size() && is_digit(b[j]); ++j)
        y = y * 10 + static_cast<unsigned long>(b[j] - '0');
      if (x != y) return x < y ? -1 : 1;
    } else if (is_digit(c)) {
      return 1;
    } else if (is_digit(d)) {
      return -1;
    } else if (c != d) {
      return static_cast<unsigned char>(c) < static_cast<unsigned char>(d) ? -1 : 1;
    } else {
      ++i;
      ++j;
    }
  }
  return j < b.size() ? -1 : 0;
}

void put32(std::string& out, std::uint64_t value) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xff);
}

}  // namespace

std::string make_ld_cache(const Tree& root, const std::string& arch_name) {
  const Architecture arch = describe(arch_name);
  struct Library {
    std::string name;
    std::string path;
  };
  std::vector<Library> libraries;
  std::set<std::string> seen;
  for (const auto& folder : folders(arch)) {
    each_library(root, folder, [&](const std::string& path, const std::string& file_name) {
      const Entry* entry = root.find(root.resolve(path));
      if (!entry || entry->type != EntryType::file) return;
      const std::string bytes = entry->content.read();
      if (!elf_is_shared(bytes)) return;
      std::string name = elf_soname(bytes);
      if (name.empty()) name = file_name;
      // The name that ld.so asks for, when there is a link of that name beside.
      const std::string wanted = folder + "/" + name;
      const std::string& found = root.contains(wanted) ? wanted : path;
      if (seen.insert(name).second) libraries.push_back({name, "/" + found});
    });
  }
  std::ranges::sort(libraries, [](const Library& a, const Library& b) {
    return compare_names(a.name, b.name) > 0;
  });

  constexpr std::size_t kHeader = 48;
  constexpr std::size_t kEntry = 24;
  std::string strings;
  std::string entries;
  const std::size_t base = kHeader + kEntry * libraries.size();
  for (const auto& library : libraries) {
    put32(entries, arch.flags);
    put32(entries, base + strings.size());
    strings += library.name + '\0';
    put32(entries, base + strings.size());
    strings += library.path + '\0';
    entries.append(12, '\0');  // osversion, hwcap: unused
  }
  std::string cache = "glibc-ld.so.cache1.1";
  put32(cache, libraries.size());
  put32(cache, strings.size());
  put32(cache, 2);         // flags: little-endian; three bytes of padding
  cache.append(16, '\0');  // no extensions
  return cache + entries + strings;
}

bool has_libraries(const Tree& tree, const std::string& arch_name) {
  bool any = false;
  for (const auto& folder : folders(describe(arch_name)))
    each_library(tree, folder, [&](const std::string&, const std::string&) { any = true; });
  return any;
}

}  // namespace rosbuild
