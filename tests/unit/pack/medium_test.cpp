#include "builder/pack/medium.h"

#include "builder/pack/disk.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "tests/unit/pack/read_back.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

Medium sample(const fs::path& folder) {
  for (const char* name : {"kernel", "initrd", "base"}) ros::write_file(folder / name, name);
  return {.title = "RancherOS",
          .version = "2.0.0",
          .kernel = folder / "kernel",
          .initrd = folder / "initrd",
          .layers = {{"base-0123456789abcdef.squashfs", folder / "base"}},
          .cmdline = {"console=ttyS0,115200", "quiet", "loglevel=4", "panic=10"},
          .epoch = 1700000000};
}

// The line of the entry with this id that starts the kernel.
std::string linux_line(const std::string& cfg, const std::string& id) {
  const auto at = cfg.find("linux ", cfg.find("--id " + id + " {"));
  REQUIRE(at != std::string::npos);
  return cfg.substr(at, cfg.find('\n', at) - at);
}

void grub_takes(const std::string& cfg) {
  const ros::TempDir folder;
  ros::write_file(folder.path() / "grub.cfg", cfg);
  ask({.argv = {"grub-script-check", (folder.path() / "grub.cfg").string()}});
}

}  // namespace

TEST_CASE("grub.cfg: four ways to the same system", "[pack]") {
  const ros::TempDir folder;
  const std::string cfg = make_grub_cfg(sample(folder.path()), kDiskLabel);
  CHECK_THAT(cfg, Contains("set default=current\n") && Contains("set timeout=3\n") &&
                      Contains("--label RANCHER_BOOT "));
  CHECK_THAT(cfg, Contains("menuentry 'RancherOS 2.0.0' --id current {\n"));
  CHECK(linux_line(cfg, "current") ==
        "linux /2.0.0/vmlinuz console=ttyS0,115200 quiet loglevel=4 panic=10");
  CHECK(linux_line(cfg, "debug") ==
        "linux /2.0.0/vmlinuz console=ttyS0,115200 panic=10 rancher.debug=true");
  CHECK_THAT(linux_line(cfg, "recovery"), Catch::EndsWith("panic=10 rancher.recovery=true"));
  CHECK_THAT(linux_line(cfg, "autologin"),
             Catch::EndsWith("rancher.autologin=tty1 rancher.autologin=ttyS0"));
  CHECK_THAT(cfg, Contains("  initrd /2.0.0/initrd\n"));
  grub_takes(cfg);
}

TEST_CASE("grub.cfg: GRUB takes quotes, spaces and dollars as they are", "[pack]") {
  const ros::TempDir folder;
  Medium medium = sample(folder.path());
  medium.title = "Ann's $OS {";
  medium.cmdline = {"rancher.state.autoformat=[/dev/sda,/dev/vda]", "a='b c'", "d=$e;reboot",
                    "f=\"g\""};
  const std::string cfg = make_grub_cfg(medium, kIsoLabel);
  CHECK_THAT(cfg, Contains("--label RANCHEROS "));
  CHECK_THAT(cfg, Contains("menuentry " + ros::quote("Ann's $OS { 2.0.0") + " --id current {\n"));
  CHECK(linux_line(cfg, "current") == "linux /2.0.0/vmlinuz " + ros::quote(medium.cmdline));
  grub_takes(cfg);
}

TEST_CASE("medium: its files, all of one time", "[pack]") {
  const ros::TempDir folder;
  const Tree disk = medium_tree(sample(folder.path()), kDiskLabel);
  std::vector<std::string> paths;
  for (const auto& [path, entry] : disk.entries()) {
    paths.push_back(path);
    CHECK(entry.mtime == 1700000000);
  }
  CHECK(paths == std::vector<std::string>{"2.0.0", "2.0.0/initrd", "2.0.0/vmlinuz", "grub",
                                          "grub/grub.cfg", "grub/grubenv", "layers",
                                          "layers/base-0123456789abcdef.squashfs"});
  CHECK(disk.find("2.0.0/vmlinuz")->content.read() == "kernel");
  const std::string block = disk.find("grub/grubenv")->content.read();
  CHECK(block.size() == 1024);
  CHECK(block.starts_with("# GRUB Environment Block\n#"));
  CHECK_FALSE(medium_tree(sample(folder.path()), kIsoLabel).contains("grub/grubenv"));

  Medium lacking = sample(folder.path());
  fs::remove(lacking.kernel);
  CHECK_THROWS_AS(medium_tree(lacking, kDiskLabel), ros::Error);
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
  refused("a disk of 8 MiB is too small: it needs at least 231 MiB (100 MiB for RANCHER_BOOT");
  spec.size = 300 * kMiB + 512;
  refused("not whole MiB");

  spec.boot_size = 0;
  fs::resize_file(spec.medium.kernel, 50 * kMiB);
  CHECK(least_disk_size(spec) > (64 + 2 * 50 + 64) * kMiB);
}
