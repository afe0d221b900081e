#include "runtime/init/state.h"

#include <catch2/catch.hpp>

#include "runtime/base/error.h"
#include "runtime/init/filesystem.h"

using namespace ros;

namespace {

constexpr std::size_t kMiB = 1 << 20;

// What is said of `size` zeros with an 'x' at `at`.
long long used_of(std::size_t size, std::size_t at) {
  TempDir folder;
  std::string bytes(size, '\0');
  if (at < size) bytes[at] = 'x';
  write_file(folder.path() / "disk", bytes);
  return first_byte_used(folder.path() / "disk");
}

constexpr std::size_t kNowhere = ~std::size_t{0};

}  // namespace

TEST_CASE("state: zeros are not used", "[init]") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kMiB, 5 * kMiB / 2})
    CHECK(used_of(size, kNowhere) == -1);
}

TEST_CASE("state: the first byte used is found at either end", "[init]") {
  const std::size_t size = 5 * kMiB / 2;
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{12288}, kMiB - 1, size - kMiB, size - 1}) {
    CAPTURE(at);
    CHECK(used_of(size, at) == static_cast<long long>(at));
  }
}

TEST_CASE("state: the middle of a disk is not looked at", "[init]") {
  CHECK(used_of(3 * kMiB, 3 * kMiB / 2) == -1);
}

TEST_CASE("state: a disk smaller than the ends", "[init]") {
  CHECK(used_of(1, 0) == 0);
  CHECK(used_of(12289, 12288) == 12288);
  CHECK(used_of(3 * kMiB / 2, 3 * kMiB / 4) == 3 * kMiB / 4);
}

TEST_CASE("state: a file system that the kernel has needs no module", "[init]") {
  TempDir root;  // without modules
  ModuleLoader modules{root.path()};
  CHECK(load_file_system("proc", modules));
  CHECK_FALSE(load_file_system("nonsense", modules));
}

TEST_CASE("state: what cannot be read is not called empty", "[init]") {
  TempDir folder;
  CHECK_THROWS_AS(first_byte_used(folder.path() / "absent"), Error);
  CHECK_THROWS_AS(first_byte_used(folder.path()), Error);
}
