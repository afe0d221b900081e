#include "builder/pack/vmdk.h"

#include "builder/pack/stream.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "tests/unit/pack/read_back.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

}  // namespace

TEST_CASE("vmdk: qemu-img checks it and reads the same disk", "[pack]") {
  const ros::TempDir folder;
  const std::string vmdk = (folder.path() / "disk.vmdk").string();
  for (const std::uint64_t size : {100 * kMiB, 100 * kMiB + 512}) {  // the last grain is cut
    const fs::path raw = raw_disk(folder.path(), size);
    write_vmdk(raw, vmdk, {.level = 6, .threads = 2});
    CHECK_THAT(ask({.argv = {"qemu-img", "check", "-f", "vmdk", vmdk}}), Contains("No errors"));
    CHECK_THAT(
        ask({.argv = {"qemu-img", "compare", "-f", "raw", "-F", "vmdk", raw.string(), vmdk}}),
        Contains("Images are identical"));
    CHECK_THAT(ask({.argv = {"qemu-img", "info", vmdk}}), Contains("streamOptimized"));
    CHECK(fs::file_size(vmdk) < 2 * kMiB);
  }
}

TEST_CASE("vmdk: header, descriptor and footer", "[pack]") {
  const ros::TempDir folder;
  const fs::path vmdk = folder.path() / "disk.vmdk";
  write_vmdk(raw_disk(folder.path(), 100 * kMiB), vmdk, {});
  const std::string bytes = ros::read_file(vmdk);
  REQUIRE(bytes.size() % 512 == 0);
  CHECK(bytes.substr(0, 4) == "KDMV");
  CHECK(little_endian(bytes, 4, 4) == 3);
  CHECK(little_endian(bytes, 12, 8) == 100 * kMiB / 512);
  CHECK(little_endian(bytes, 56, 8) == ~0ULL);  // the directory is named by the footer
  CHECK_THAT(bytes.substr(512, 20 * 512),
             Contains("createType=\"streamOptimized\"\n") && Contains("RW 204800 SPARSE "));
  const std::string end = bytes.substr(bytes.size() - 3 * 512);
  CHECK(little_endian(end, 12, 4) == 3);
  CHECK(end.substr(512, 4) == "KDMV");
  const std::uint64_t directory = little_endian(end, 512 + 56, 8) * 512;
  CHECK(end.substr(1024) == std::string(512, '\0'));
  CHECK(little_endian(bytes, directory, 4) != 0);
  CHECK(little_endian(bytes, directory + 4, 4) == 0);  // 32 to 64 MiB: only zeros
  CHECK(little_endian(bytes, directory + 8, 4) != 0);
}

TEST_CASE("vmdk: the bytes do not depend on threads or holes", "[pack]") {
  const ros::TempDir folder;
  const fs::path raw = raw_disk(folder.path(), 100 * kMiB);
  const auto digest = [&](unsigned threads) {
    write_vmdk(raw, folder.path() / "out", {.level = 9, .threads = threads});
    return ros::sha256_file(folder.path() / "out");
  };
  const std::string one = digest(1);
  CHECK(digest(5) == one);
  ros::write_file(raw, ros::read_file(raw));  // the zeros are there now
  CHECK(digest(3) == one);
}

TEST_CASE("vmdk: an empty disk, an absent one, and a stop", "[pack]") {
  const ros::TempDir folder;
  const std::string raw = (folder.path() / "raw").string(), vmdk = (folder.path() / "v").string();
  create_sparse(raw, 2 * kMiB);
  write_vmdk(raw, vmdk, {});
  CHECK_THAT(ask({.argv = {"qemu-img", "compare", "-f", "raw", "-F", "vmdk", raw, vmdk}}),
             Contains("identical"));
  CHECK_THROWS_AS(write_vmdk(folder.path() / "absent", vmdk, {}), ros::Error);
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(write_vmdk(raw, vmdk, {.stop = stop.get_token()}), Cancelled);
}
