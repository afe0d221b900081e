#include "builder/pack/medium.h"

#include "builder/pack/disk.h"
#include "builder/pack/grub.h"
#include "runtime/base/boot_state.h"
#include "runtime/base/error.h"
#include "tests/unit/pack/read_back.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

Medium sample(const fs::path& folder) {
  for (const char* name : {"kernel", "initrd", "base"}) ros::write_file(folder / name, name);
  for (const char* name : {kBootSector, kCoreImage, kEspImage})
    ros::write_file(folder / "loader" / name, std::string(512, 'x'));
  return {.release = {.version = "2.0.0",
                      .platform = "amd64",
                      .title = "RancherOS",
                      .cmdline = {"panic=10"},
                      .files = {{"kernel", "2.0.0/vmlinuz", 6, ""},
                                {"loader", "loader/boot-0.img", 512, ""},
                                {"loader", "loader/core-0.img", 512, ""},
                                {"loader", "loader/esp-0.img", 512, ""}}},
          .kernel = folder / "kernel",
          .initrd = folder / "initrd",
          .layers = {{"base-0123456789abcdef.squashfs", folder / "base"}},
          .loader = folder / "loader",
          .cmdline = {"console=ttyS0,115200", "quiet", "loglevel=4", "panic=10"},
          .epoch = 1700000000};
}

}  // namespace

TEST_CASE("medium: its files, all of one time", "[pack]") {
  const ros::TempDir folder;
  const Tree disk = medium_tree(sample(folder.path()), kDiskLabel);
  std::vector<std::string> paths;
  for (const auto& [path, entry] : disk.entries()) {
    paths.push_back(path);
    CHECK(entry.mtime == 1700000000);
  }
  CHECK(paths == std::vector<std::string>{
                     "2.0.0", "2.0.0/append", "2.0.0/initrd", "2.0.0/menu.cfg", "2.0.0/release",
                     "2.0.0/vmlinuz", "grub", "grub/grub.cfg", "grub/grubenv", "layers",
                     "layers/base-0123456789abcdef.squashfs", "loader", "loader/boot-0.img",
                     "loader/core-0.img", "loader/esp-0.img"});
  CHECK(disk.find("2.0.0/vmlinuz")->content.read() == "kernel");
  const std::string block = disk.find("grub/grubenv")->content.read();
  CHECK(ros::parse_block(block) == ros::BootState{.current = "2.0.0"});
  CHECK(disk.find("2.0.0/release")->content.read() == to_text(sample(folder.path()).release));
  CHECK(disk.find("2.0.0/append")->content.read() == "console=ttyS0,115200 quiet loglevel=4\n");
  const Tree iso = medium_tree(sample(folder.path()), kIsoLabel);
  CHECK_FALSE(iso.contains("grub/grubenv"));
  CHECK_FALSE(iso.contains("2.0.0/append"));

  Medium lacking = sample(folder.path());
  fs::remove(lacking.kernel);
  CHECK_THROWS_AS(medium_tree(lacking, kDiskLabel), ros::Error);
}

TEST_CASE("medium: a packed kernel keeps its name", "[pack]") {
  const ros::TempDir folder;
  Medium medium = sample(folder.path());
  medium.release.files[0].path = "2.0.0/kernel.squashfs";
  const Tree tree = medium_tree(medium, ros::kPiLabel);
  CHECK(tree.find("2.0.0/kernel.squashfs")->content.read() == "kernel");
  CHECK_FALSE(tree.contains("2.0.0/vmlinuz"));
  CHECK(tree.contains("grub/grubenv"));
  CHECK_THAT(tree.find("grub/grub.cfg")->content.read(), Contains("--label RANCHER_PI "));
}

TEST_CASE("disk: the least size has room for two versions, less is refused", "[pack]") {
  const ros::TempDir folder;
  DiskSpec spec{.medium = sample(folder.path()), .size = 8 * kMiB, .boot_size = 100 * kMiB};
  CHECK(least_disk_size(spec) == (1 + 1 + 64 + 100 + 64 + 1) * kMiB);
  const auto refused = [&](const std::string& why) {
    const fs::path out = folder.path() / "disk";
    CHECK_THROWS_WITH(write_disk(spec, out, Toolbox{"/nowhere", 0}), Contains(why));
    CHECK_FALSE(fs::exists(out));
  };
  spec.size_at = {"platforms/x.yaml", 8, 44};
  refused(
      "platforms/x.yaml:8:44: a disk of 8 MiB is too small: it needs at least 231 MiB (100 MiB "
      "for RANCHER_BOOT");
  spec.size = 300 * kMiB + 512;
  refused("not whole MiB");

  spec.boot_size = 0;
  fs::resize_file(spec.medium.kernel, 50 * kMiB);
  CHECK(least_disk_size(spec) > (64 + 2 * 50 + 64) * kMiB);
}
