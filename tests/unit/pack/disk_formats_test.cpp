// qcow2, VHD and VHDX: what is common to them, then each format's own rules.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <functional>

#include "builder/pack/bytes.h"
#include "builder/pack/qcow2.h"
#include "builder/pack/vhd.h"
#include "builder/pack/vhdx.h"
#include "runtime/base/error.h"
#include "tests/unit/pack/read_back.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

struct Writer {
  const char* name;    // of the test
  const char* format;  // as QEMU calls it
  std::function<void(const fs::path&, const fs::path&, std::stop_token)> write;
};

const Writer kWriters[] = {
    {"qcow2", "qcow2",
     [](const auto& raw, const auto& out, const auto& stop) {
       write_qcow2(raw, out, {.level = 6, .threads = 3, .stop = stop});
     }},
    {"fixed VHD", "vpc",
     [](const auto& raw, const auto& out, const auto& stop) { write_fixed_vhd(raw, out, stop); }},
    {"dynamic VHD", "vpc",
     [](const auto& raw, const auto& out, const auto& stop) { write_dynamic_vhd(raw, out, stop); }},
    {"VHDX", "vhdx",
     [](const auto& raw, const auto& out, const auto& stop) { write_vhdx(raw, out, stop); }}};

void check_same(const fs::path& raw, const fs::path& image, const std::string& format) {
  CHECK_THAT(ask({.argv = {"qemu-img", "compare", "-f", "raw", "-F", format, raw.string(),
                           image.string()}}),
             Contains("Images are identical"));
  // `compare` takes a longer disk for the same when the rest is zero.
  CHECK_THAT(ask({.argv = {"qemu-img", "info", "--output=json", "-f", format, image.string()}}),
             Contains(fmt::format("\"virtual-size\": {},", fs::file_size(raw))));
  if (format != "vpc")
    CHECK_THAT(ask({.argv = {"qemu-img", "check", "-f", format, image.string()}}),
               Contains("No errors"));
}

std::uint64_t big_endian(const std::string& bytes, std::size_t offset, int size) {
  std::uint64_t value = 0;
  for (int i = 0; i < size; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes.at(offset + static_cast<std::size_t>(i)));
  return value;
}

std::uint64_t allocated(const fs::path& file) {
  struct stat status = {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

}  // namespace

TEST_CASE("disk formats: qemu-img reads back every byte, at any size", "[pack]") {
  const ros::TempDir folder;
  const fs::path image = folder.path() / "image";
  // A whole number of every block; the last block cut, of each format; and more than one L2 table.
  for (const std::uint64_t size :
       {128 * kMiB, 101 * kMiB, 100 * kMiB + 512, 600 * kMiB + 65536 + 1024}) {
    const fs::path raw = raw_disk(folder.path(), size);
    for (const auto& [name, format, write] : kWriters) {
      INFO(name << " of " << size << " bytes");
      write(raw, image, {});
      check_same(raw, image, format);
      CHECK(allocated(image) < 16 * kMiB);
    }
  }
}

TEST_CASE("disk formats: the smallest disks, empty ones and full ones", "[pack]") {
  const ros::TempDir folder;
  const fs::path raw = folder.path() / "raw", image = folder.path() / "image";
  for (const auto& [name, format, write] : kWriters) {
    INFO(name);
    create_sparse(raw.string(), 2 * kMiB);
    write(raw, image, {});
    check_same(raw, image, format);
    create_sparse(raw.string(), 512);
    write_at(ros::open_file(raw.string(), O_WRONLY).get(), 511, "x");
    write(raw, image, {});
    check_same(raw, image, format);
    std::string full;
    for (std::uint64_t i = 0; full.size() < 5 * kMiB; ++i)
      full += ros::sha256(std::to_string(i / 3)).substr(0, 60) + "\n.x\n";
    ros::write_file(raw, full);
    write(raw, image, {});
    check_same(raw, image, format);
  }
}

TEST_CASE("disk formats: the bytes follow from the disk's, and so does the identifier", "[pack]") {
  const ros::TempDir folder;
  const fs::path image = folder.path() / "image";
  for (const auto& [name, format, write] : kWriters) {
    INFO(name);
    const fs::path raw = raw_disk(folder.path(), 100 * kMiB);
    write(raw, image, {});
    const std::string once = ros::read_file(image);
    ros::write_file(raw, ros::read_file(raw));  // the zeros are there now
    write(raw, image, {});
    CHECK(ros::read_file(image) == once);
    write_at(ros::open_file(raw.string(), O_WRONLY).get(), 99 * kMiB, "other");
    write(raw, image, {});
    const std::string other = ros::read_file(image);
    if (std::string(format) == "vpc")
      CHECK(other.substr(other.size() - 512 + 68, 16) != once.substr(once.size() - 512 + 68, 16));
    if (std::string(format) == "vhdx") CHECK(other.substr(65536, 64) != once.substr(65536, 64));
  }
}

TEST_CASE("disk formats: odd sizes, absent disks and a stop are refused", "[pack]") {
  const ros::TempDir folder;
  const fs::path raw = folder.path() / "raw", image = folder.path() / "image";
  std::stop_source stop;
  stop.request_stop();
  for (const auto& [name, format, write] : kWriters) {
    INFO(name);
    create_sparse(raw.string(), 2 * kMiB + 100);
    CHECK_THROWS_WITH(write(raw, image, {}), Contains("2097252 bytes are no whole sectors"));
    create_sparse(raw.string(), 0);
    CHECK_THROWS_WITH(write(raw, image, {}), Contains("0 bytes"));
    create_sparse(raw.string(), 2 * kMiB);
    CHECK_THROWS_AS(write(raw, image, stop.get_token()), Cancelled);
    CHECK_THROWS_AS(write(folder.path() / "absent", image, {}), ros::Error);
  }
}

TEST_CASE("qcow2: version 2, and what cannot be deflated is stored as it is", "[pack]") {
  const ros::TempDir folder;
  const fs::path raw = raw_disk(folder.path(), 100 * kMiB), image = folder.path() / "image";
  write_qcow2(raw, image, {});
  const std::string bytes = ros::read_file(image);
  CHECK(bytes.substr(0, 4) == "QFI\xfb");
  CHECK(big_endian(bytes, 4, 4) == 2);
  CHECK(big_endian(bytes, 8, 8) == 0);    // no backing file
  CHECK(big_endian(bytes, 20, 4) == 16);  // 64 KiB
  CHECK(big_endian(bytes, 24, 8) == 100 * kMiB);
  const auto entry = [&](std::uint64_t cluster) {
    const std::uint64_t table = big_endian(bytes, big_endian(bytes, 40, 8), 8) & ~(1ULL << 63);
    return big_endian(bytes, table + 8 * cluster, 8);
  };
  CHECK(entry(0) >> 62 == 1);            // compressed
  CHECK(entry(70 * 16 + 2) >> 62 == 2);  // noise: as it is, and in use once
  CHECK(entry(70 * 16 + 2) % 65536 == 0);
  CHECK(entry(71 * 16 + 1) >> 62 == 1);  // digits
  CHECK(entry(1000) == 0);               // zeros
  CHECK(entry(80 * 16) == 0);            // written zeros
}

TEST_CASE("vhd: the footer says size, type and checksum, first and last", "[pack]") {
  const ros::TempDir folder;
  const fs::path raw = raw_disk(folder.path(), 100 * kMiB), image = folder.path() / "image";
  const auto check_footer = [](std::string footer, std::uint64_t type) {
    CHECK(footer.substr(0, 8) == "conectix");
    CHECK(big_endian(footer, 40, 8) == 100 * kMiB);
    CHECK(big_endian(footer, 48, 8) == 100 * kMiB);
    CHECK(big_endian(footer, 60, 4) == type);
    // 204800 sectors, by the specification's algorithm.
    CHECK(big_endian(footer, 56, 2) == 1003);
    CHECK(big_endian(footer, 58, 1) == 12);
    CHECK(big_endian(footer, 59, 1) == 17);
    const std::uint64_t said = big_endian(footer, 64, 4);
    footer.replace(64, 4, std::string(4, '\0'));
    std::uint32_t sum = 0;
    for (const char c : footer) sum += static_cast<unsigned char>(c);
    CHECK(said == static_cast<std::uint32_t>(~sum));
  };
  write_fixed_vhd(raw, image);
  CHECK(fs::file_size(image) == 100 * kMiB + 512);
  const std::string fixed = ros::read_file(image);
  CHECK(fixed.substr(0, 100 * kMiB) == ros::read_file(raw));
  check_footer(fixed.substr(fixed.size() - 512), 2);
  write_dynamic_vhd(raw, image);
  const std::string dynamic = ros::read_file(image);
  check_footer(dynamic.substr(0, 512), 3);
  CHECK(dynamic.substr(0, 512) == dynamic.substr(dynamic.size() - 512));
  CHECK(dynamic.substr(512, 8) == "cxsparse");
  CHECK(big_endian(dynamic, 512 + 28, 4) == 200);  // blocks
}

TEST_CASE("vhd: a disk of more than 2040 GiB is refused", "[pack]") {
  const ros::TempDir folder;
  const fs::path raw = folder.path() / "raw", image = folder.path() / "image";
  create_sparse(raw.string(), kLargestVhd + kMiB);
  CHECK_THROWS_WITH(write_fixed_vhd(raw, image), Contains("at most 2040 GiB"));
  CHECK_THROWS_WITH(write_dynamic_vhd(raw, image), Contains("at most 2040 GiB"));
  CHECK_FALSE(fs::exists(image));
  create_sparse(raw.string(), kLargestVhd);
  write_dynamic_vhd(raw, image);
  CHECK(fs::file_size(image) < 32 * kMiB);
}

TEST_CASE("vhdx: both headers and region tables are there, the second header newer", "[pack]") {
  const ros::TempDir folder;
  const fs::path raw = folder.path() / "raw", image = folder.path() / "image";
  create_sparse(raw.string(), 5000 * kMiB);  // more blocks than a chunk: the table has a gap
  write_at(ros::open_file(raw.string(), O_WRONLY).get(), 4500 * kMiB, "late");
  write_vhdx(raw, image);
  check_same(raw, image, "vhdx");
  const std::string bytes = ros::read_file(image);
  CHECK(bytes.substr(0, 8) == "vhdxfile");
  CHECK(bytes.substr(64 << 10, 4) == "head");
  CHECK(bytes.substr(128 << 10, 4) == "head");
  CHECK(little_endian(bytes, (64 << 10) + 8, 8) < little_endian(bytes, (128 << 10) + 8, 8));
  CHECK(bytes.substr(192 << 10, 65536) == bytes.substr(256 << 10, 65536));
  const std::uint64_t table = 3 * kMiB;
  CHECK(little_endian(bytes, table, 8) == 2);                   // zero
  CHECK(little_endian(bytes, table + 8 * 4096, 8) == 0);        // a bitmap's place
  CHECK((little_endian(bytes, table + 8 * 4501, 8) & 7) == 6);  // present
  CHECK(little_endian(bytes, table + 8 * 4501, 8) >> 20 == 4);  // in the fifth MiB
}
