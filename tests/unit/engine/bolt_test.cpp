#include "runtime/engine/bolt.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <vector>

#include "runtime/base/error.h"

namespace {

constexpr std::size_t kPage = 4096;
using Pairs = std::vector<std::pair<std::string, std::string>>;

template <typename Number>
void put(std::string& bytes, std::size_t offset, Number value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

// A page's header and elements; `flags` are those of the elements.
std::string leaf(const Pairs& pairs, std::uint32_t flags = 0) {
  std::string page(16 + pairs.size() * 16, '\0');
  put<std::uint16_t>(page, 8, 2);
  put<std::uint16_t>(page, 10, static_cast<std::uint16_t>(pairs.size()));
  std::size_t element = 16;
  for (const auto& [key, value] : pairs) {
    put<std::uint32_t>(page, element, flags);
    put<std::uint32_t>(page, element + 4, static_cast<std::uint32_t>(page.size() - element));
    put<std::uint32_t>(page, element + 8, static_cast<std::uint32_t>(key.size()));
    put<std::uint32_t>(page, element + 12, static_cast<std::uint32_t>(value.size()));
    page += key + value;
    element += 16;
  }
  return page;
}

std::string branch(const std::vector<std::uint64_t>& pages) {
  std::string page(16 + pages.size() * 16, '\0');
  put<std::uint16_t>(page, 8, 1);
  put<std::uint16_t>(page, 10, static_cast<std::uint16_t>(pages.size()));
  for (std::size_t i = 0; i < pages.size(); ++i) put(page, 16 + i * 16 + 8, pages[i]);
  return page;
}

std::string bucket_at(std::uint64_t root) {
  std::string header(16, '\0');
  put(header, 0, root);
  return header;
}

std::string meta(std::uint64_t root, std::uint64_t transaction) {
  std::string page(16 + 64, '\0');
  put<std::uint32_t>(page, 16, 0xed0cdaed);
  put<std::uint32_t>(page, 20, 2);
  put<std::uint32_t>(page, 24, kPage);
  put(page, 32, root);
  put(page, 64, transaction);
  std::uint64_t hash = 0xcbf29ce484222325;
  for (std::size_t i = 16; i < 72; ++i)
    hash = (hash ^ static_cast<unsigned char>(page[i])) * 0x100000001b3;
  put(page, 72, hash);
  return page;
}

std::string file_of(const std::vector<std::string>& pages) {
  std::string file;
  for (const auto& page : pages) {
    file += page;
    file.resize((file.size() + kPage - 1) / kPage * kPage);
  }
  return file;
}

std::map<std::string, std::string> read(const std::string& file) {
  ros::TempDir dir;
  ros::write_file(dir.path() / "db", file);
  return ros::read_bolt(dir.path() / "db", "wanted");
}

}  // namespace

TEST_CASE("bolt: a bucket is read over branches, leaves and inline", "[unit]") {
  const std::map<std::string, std::string> expected{{"a", "1"}, {"b", ""}, {"c", "three"}};
  const std::string inline_bucket = bucket_at(0) + leaf({{"a", "1"}, {"b", ""}, {"c", "three"}});
  CHECK(
      read(file_of({meta(2, 1), meta(2, 0),
                    leaf({{"other", bucket_at(0) + leaf({{"x", "y"}})}, {"wanted", inline_bucket}},
                         1)})) == expected);
  CHECK(read(file_of({meta(2, 1), meta(2, 0), leaf({{"wanted", bucket_at(3)}}, 1), branch({4, 5}),
                      leaf({{"a", "1"}, {"b", ""}}), leaf({{"c", "three"}})})) == expected);
  CHECK(read(file_of({meta(2, 1), meta(2, 0), leaf({})})).empty());
}

TEST_CASE("bolt: the last whole transaction counts", "[unit]") {
  const auto old = leaf({{"wanted", bucket_at(0) + leaf({{"k", "old"}})}}, 1);
  const auto young = leaf({{"wanted", bucket_at(0) + leaf({{"k", "new"}})}}, 1);
  CHECK(read(file_of({meta(2, 6), meta(3, 7), old, young}))["k"] == "new");
  CHECK(read(file_of({meta(3, 8), meta(2, 7), old, young}))["k"] == "new");
  auto torn = meta(3, 9);
  torn[40] ^= 1;
  CHECK(read(file_of({torn, meta(2, 7), old, young}))["k"] == "old");
}

TEST_CASE("bolt: what is no sound database is refused, whatever its bytes", "[unit]") {
  CHECK_THROWS_AS(read(""), ros::Error);
  CHECK_THROWS_AS(read(std::string(3 * kPage, '\0')), ros::Error);
  CHECK_THROWS_AS(read(file_of({meta(9, 1), meta(9, 0)})), ros::Error);  // beyond the end
  CHECK_THROWS_AS(read(file_of({meta(2, 1), meta(2, 0), branch({2})})), ros::Error);  // a circle
  CHECK_THROWS_AS(read(file_of({meta(~0ULL, 1), meta(2, 0)})), ros::Error);
  auto bad = leaf({{"wanted", bucket_at(0) + leaf({{"k", "v"}})}}, 1);
  put<std::uint32_t>(bad, 16 + 8, 0xffffffff);  // the length of a key
  CHECK_THROWS_AS(read(file_of({meta(2, 1), meta(2, 0), bad})), ros::Error);

  // No byte of a sound one can be changed so that reading runs away.
  const auto sound = file_of({meta(2, 1), meta(2, 0), leaf({{"wanted", bucket_at(3)}}, 1),
                              branch({4}), leaf({{"a", "1"}})});
  std::size_t refused = 0;
  for (std::size_t i = 2 * kPage; i < sound.size(); i += i % kPage < 64 ? 1 : 97) {
    auto changed = sound;
    changed[i] = static_cast<char>(changed[i] ^ 0xff);
    try {
      read(changed);
    } catch (const ros::Error&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
}
