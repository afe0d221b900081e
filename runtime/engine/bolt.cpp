#include "runtime/engine/bolt.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>
#include <type_traits>

#include "runtime/base/error.h"

namespace ros {
namespace {

constexpr std::uint32_t kMagic = 0xed0cdaed, kVersion = 2;
constexpr std::uint16_t kBranch = 1, kLeaf = 2;  // flags of a page
constexpr std::uint32_t kBucket = 1;             // flag of a leaf element
constexpr std::size_t kPageHeader = 16, kElement = 16, kBucketHeader = 16;
constexpr std::size_t kMetaChecked = 56;  // bytes of a meta before its checksum

// Bounds are checked; numbers are little-endian, as both processors of the project are.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_{bytes} {}
  template <typename Number>
  Number number(std::size_t offset) const {
    static_assert(std::is_unsigned_v<Number>);
    Number value{};
    std::memcpy(&value, part(offset, sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view part(std::size_t offset, std::size_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) throw Error{"it ends too early"};
    return bytes_.substr(offset, size);
  }
  std::string_view from(std::size_t offset) const {
    return part(offset, offset <= bytes_.size() ? bytes_.size() - offset : 0);
  }

 private:
  std::string_view bytes_;
};

std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

struct Meta {
  std::uint32_t page_size = 0;
  std::uint64_t root = 0, transaction = 0;
};

std::optional<Meta> meta_at(const Bytes& file, std::size_t offset) {
  const Bytes body{file.part(offset + kPageHeader, kMetaChecked + 8)};
  if (body.number<std::uint32_t>(0) != kMagic || body.number<std::uint32_t>(4) != kVersion ||
      body.number<std::uint64_t>(kMetaChecked) != fnv1a(body.part(0, kMetaChecked)))
    return {};
  return Meta{body.number<std::uint32_t>(8), body.number<std::uint64_t>(16),
              body.number<std::uint64_t>(48)};
}

// The two metas take turns; the one of the last whole transaction counts.
Meta newest_meta(const Bytes& file) {
  auto newest = meta_at(file, 0);
  const std::size_t page_size = newest ? newest->page_size : 4096;
  if (const auto second = meta_at(file, page_size);
      second && (!newest || second->transaction > newest->transaction))
    newest = second;
  if (!newest || newest->page_size < 512) throw Error{"it has no whole transaction"};
  return *newest;
}

class Reader {
 public:
  explicit Reader(std::string_view file) : file_{file}, meta_{newest_meta(file_)} {}

  std::map<std::string, std::string> bucket(const std::string& name) {
    std::map<std::string, std::string> found;
    each(at(meta_.root), [&](std::uint32_t flags, std::string_view key, std::string_view value) {
      if (!(flags & kBucket) || key != name) return;
      const Bytes header{value};
      const auto root = header.number<std::uint64_t>(0);
      // A small bucket lies in its parent's page.
      const Bytes page = root == 0 ? Bytes{header.from(kBucketHeader)} : at(root);
      each(page, [&](std::uint32_t kind, std::string_view one, std::string_view content) {
        if (!(kind & kBucket)) found.emplace(one, content);
      });
    });
    return found;
  }

 private:
  // A tree leads to each page once.
  Bytes at(std::uint64_t page) {
    if (!visited_.insert(page).second) throw Error{"its pages run in a circle"};
    if (page > SIZE_MAX / meta_.page_size) throw Error{"it ends too early"};
    return Bytes{file_.from(page * meta_.page_size)};
  }

  template <typename Visit>
  void each(const Bytes& page, const Visit& visit) {
    const auto kind = page.number<std::uint16_t>(8);
    const auto count = page.number<std::uint16_t>(10);
    if (!(kind & (kBranch | kLeaf))) throw Error{"a page is neither branch nor leaf"};
    for (std::size_t i = 0; i < count; ++i) {
      const Bytes element{page.from(kPageHeader + i * kElement)};
      if (kind & kBranch) {
        each(at(element.number<std::uint64_t>(8)), visit);
        continue;
      }
      const auto position = element.number<std::uint32_t>(4);
      const auto key_size = element.number<std::uint32_t>(8);
      const auto value_size = element.number<std::uint32_t>(12);
      visit(element.number<std::uint32_t>(0), element.part(position, key_size),
            element.part(std::size_t{position} + key_size, value_size));
    }
  }

  Bytes file_;
  Meta meta_;
  std::set<std::uint64_t> visited_;
};

}  // namespace

std::map<std::string, std::string> read_bolt(const fs::path& path, const std::string& bucket) {
  const std::string file = read_file(path);
  try {
    return Reader{file}.bucket(bucket);
  } catch (const Error& error) {
    throw Error{path.string() + " is no sound bbolt database: " + error.what()};
  }
}

}  // namespace ros
