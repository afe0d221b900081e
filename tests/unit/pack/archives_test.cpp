// Disks in archives: GCE's tarball, zip and OVA.
#include <fcntl.h>
#include <fmt/format.h>

#include "builder/pack/gce.h"
#include "builder/pack/ova.h"
#include "builder/pack/vmdk.h"
#include "builder/pack/zip.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "tests/unit/pack/read_back.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kGiB = 1 << 30;

// Unpacks with a program that shares no code with ours, and compares without reading holes.
void check_unpacked(const std::vector<std::string>& unpack, const fs::path& folder,
                    const std::string& name, const fs::path& raw) {
  const fs::path inside = folder / "unpacked" / name;
  fs::create_directories(inside.parent_path());
  ask({.argv = unpack, .cwd = inside.parent_path()});
  if (!fs::exists(inside)) return;  // `ask` has warned
  CHECK(fs::file_size(inside) == fs::file_size(raw));
  CHECK_THAT(ask({.argv = {"qemu-img", "compare", "-f", "raw", "-F", "raw", raw.string(),
                           inside.string()}}),
             Contains("Images are identical"));
  fs::remove(inside);
}

}  // namespace

TEST_CASE("gce: tar and bsdtar unpack the same disk.raw, and it is small", "[pack]") {
  const ros::TempDir folder;
  const std::string out = (folder.path() / "out.tar.gz").string();
  for (const std::uint64_t size : {kGiB, 10 * kGiB}) {  // from 8 GiB on, a size is not octal
    const fs::path raw = raw_disk(folder.path(), size);
    write_gce(raw, out, {.level = 1, .threads = 2});
    CHECK(fs::file_size(out) < 2 * kMiB);
    CHECK_THAT(ask({.argv = {"tar", "--numeric-owner", "-tzvf", out}}),
               Contains("-rw-r--r-- 0/0") && Contains(" " + std::to_string(size) + " ") &&
                   Contains(" disk.raw"));
    check_unpacked({"tar", "-xzSf", out}, folder.path(), "disk.raw", raw);
    check_unpacked({"bsdtar", "-xSf", out}, folder.path(), "disk.raw", raw);
  }
}

TEST_CASE("gce: the header is GNU tar's old format, and many stretches go on behind it", "[pack]") {
  const ros::TempDir folder;
  const fs::path raw = folder.path() / "raw";
  const std::string out = (folder.path() / "out.tar.gz").string();
  {
    const ros::Fd fd = create_sparse(raw.string(), kGiB);
    for (std::uint64_t i = 0; i < 60; ++i) write_at(fd.get(), i * 10 * kMiB, "x");
  }
  write_gce(raw, out, {});
  const std::string tar = ask({.argv = {"gzip", "-dc", out}});
  CHECK(tar.substr(0, 8) == "disk.raw");
  CHECK(tar[156] == 'S');
  CHECK(tar.substr(257, 8) == std::string("ustar  \0", 8));
  CHECK(tar[482] == '\1');  // goes on
  CHECK(tar.substr(483, 11) == "10000000000");
  CHECK(tar[512 + 504] == '\1');  // and on: 4 + 21 + 21 + 15
  CHECK(tar[1024 + 504] == '\1');
  CHECK(tar[1536 + 504] == '\0');
  CHECK(tar.size() % 10240 == 0);
  check_unpacked({"tar", "-xzSf", out}, folder.path(), "disk.raw", raw);
}

TEST_CASE("gce: a disk that is not whole GiB is refused", "[pack]") {
  const ros::TempDir folder;
  const fs::path raw = raw_disk(folder.path(), kGiB + kMiB), out = folder.path() / "out";
  CHECK_THROWS_WITH(write_gce(raw, out, {}), Contains("1074790400 bytes are not whole GiB"));
  CHECK_FALSE(fs::exists(out));
}

TEST_CASE("zip: unzip and bsdtar unpack the same file", "[pack]") {
  const ros::TempDir folder;
  const std::string out = (folder.path() / "out.zip").string();
  for (const std::uint64_t size : {100 * kMiB, 4 * kGiB + 512}) {  // the second needs Zip64
    const fs::path raw = raw_disk(folder.path(), size);
    write_zip(raw, "rancheros.img", out, {.level = 1, .threads = 2});
    CHECK(fs::file_size(out) < 8 * kMiB);
    ask({.argv = {"unzip", "-tqq", out}});
    CHECK_THAT(ask({.argv = {"unzip", "-lv", out}}), Contains("rancheros.img"));
    check_unpacked({"bsdtar", "-xSf", out}, folder.path(), "rancheros.img", raw);
  }
}

TEST_CASE("gce, zip: the bytes do not depend on threads or holes", "[pack]") {
  const ros::TempDir folder;
  const fs::path out = folder.path() / "out";
  const fs::path raw = raw_disk(folder.path(), kGiB);
  const auto digests = [&](unsigned threads) {
    write_gce(raw, out, {.level = 6, .threads = threads});
    const std::string gce = ros::sha256_file(out);
    write_zip(raw, "disk.img", out, {.level = 6, .threads = threads});
    return gce + ros::sha256_file(out);
  };
  const std::string once = digests(1);
  CHECK(digests(4) == once);
  write_at(ros::open_file(raw.string(), O_WRONLY).get(), 500 * kMiB, std::string(kMiB, '\0'));
  CHECK(digests(2) == once);
}

TEST_CASE("ova: descriptor, manifest and disk, in this order and in agreement", "[pack]") {
  const ros::TempDir folder;
  const fs::path raw = raw_disk(folder.path(), 100 * kMiB);
  const fs::path vmdk = folder.path() / "disk.vmdk", ova = folder.path() / "box.ova";
  write_vmdk(raw, vmdk, {});
  write_ova({.name = "box",
             .title = "Ranch & <OS>",
             .version = "2.0.0",
             .vmdk = vmdk,
             .vmdk_sha256 = ros::sha256_file(vmdk),
             .capacity = 100 * kMiB},
            ova);
  CHECK(fs::file_size(ova) % 10240 == 0);
  CHECK(ask({.argv = {"tar", "-tf", ova.string()}}) == "box.ovf\nbox.mf\nbox-disk1.vmdk\n");
  const fs::path inside = folder.path() / "inside";
  fs::create_directory(inside);
  ask({.argv = {"tar", "-xf", ova.string()}, .cwd = inside});
  CHECK(ros::read_file(inside / "box-disk1.vmdk") == ros::read_file(vmdk));
  const std::string manifest = ros::read_file(inside / "box.mf");
  for (const char* name : {"box.ovf", "box-disk1.vmdk"})
    CHECK_THAT(manifest,
               Contains(fmt::format("SHA256({})= {}\n", name, ros::sha256_file(inside / name))));
  const std::string descriptor = ros::read_file(inside / "box.ovf");
  CHECK_THAT(
      descriptor,
      Contains(fmt::format("ovf:href=\"box-disk1.vmdk\" ovf:size=\"{}\"", fs::file_size(vmdk))) &&
          Contains("ovf:capacity=\"104857600\"") && Contains("Ranch &#38; &#60;OS&#62;"));
  CHECK_THAT(ask({.argv = {"xmllint", "--noout", (inside / "box.ovf").string()}}), Contains(""));
}
