#include "runtime/base/boot_state.h"

#include <catch2/catch.hpp>

#include "runtime/base/disk_layout.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"

using namespace ros;
using Catch::Contains;

namespace {

// GRUB's own program judges what we wrote.
void grub_takes(const std::string& config) {
  const TempDir folder;
  const fs::path file = folder.path() / "grub.cfg";
  write_file(file, config);
  INFO(config);
  REQUIRE(std::system(("grub-script-check " + quote(file.string())).c_str()) == 0);
}

Release release_of(const std::string& title, const std::string& kernel) {
  return {.version = "2.0.0", .title = title, .files = {{"kernel", "2.0.0/" + kernel, 1, ""}}};
}

// The line of the entry with this id that starts the kernel.
std::string linux_line(const std::string& menu, const std::string& id) {
  const auto at = menu.find("linux ", menu.find("--id " + id + " {"));
  REQUIRE(at != std::string::npos);
  return menu.substr(at, menu.find('\n', at) - at);
}

}  // namespace

TEST_CASE("boot state: a block says what was put into it", "[base]") {
  const BootState state{.current = "2.0.0",
                        .previous = "1.9.9",
                        .trial = "2.0.1",
                        .tries = 3,
                        .failed = "2.0.0~rc1",
                        .reason = "no state: none was found"};
  const std::string block = to_block(state);
  CHECK(block.size() == 1024);
  CHECK(block.starts_with("# GRUB Environment Block\ncurrent=2.0.0\n"));
  CHECK(parse_block(block) == state);
  CHECK(parse_block(to_block({})) == BootState{});
}

TEST_CASE("boot state: everything is in the first sector, however long a reason is", "[base]") {
  BootState state{.current = std::string(64, '1'),
                  .previous = std::string(64, '2'),
                  .trial = std::string(64, '3'),
                  .tries = 2,
                  .failed = std::string(64, '4'),
                  .reason = std::string(5000, 'x') + "\nline\\"};
  const std::string block = to_block(state);
  CHECK(block.size() == 1024);
  CHECK(block.substr(512) == std::string(512, '#'));
  const BootState read = parse_block(block);
  CHECK(read.failed == state.failed);
  CHECK(read.reason.size() > 50);
  state.reason = read.reason;
  CHECK(read == state);
}

TEST_CASE("boot state: a block that GRUB counted down, and bytes that are none", "[base]") {
  std::string block = to_block({.current = "1", .trial = "2", .tries = 3});
  block.replace(block.find("tries=3"), 7, "tries=2");
  CHECK(parse_block(block).tries == 2);
  CHECK(parse_block("") == BootState{});
  CHECK(parse_block(std::string(1024, '\0')) == BootState{});
  CHECK(parse_block("# GRUB Environment Block\ncurrent=../etc\ntries=999\ntrial=a b\nx\n") ==
        BootState{.tries = 3});
}

TEST_CASE("boot menu: four ways to the same system, in words that GRUB takes", "[base]") {
  const std::string menu =
      version_menu(release_of("RancherOS", "vmlinuz"),
                   {"console=ttyS0,115200", "quiet", "loglevel=4", "panic=10"});
  CHECK_THAT(menu, Contains("menuentry 'RancherOS 2.0.0' --id current {\n") &&
                       Contains("  initrd /2.0.0/initrd\n"));
  CHECK(linux_line(menu, "current") ==
        "linux /2.0.0/vmlinuz $trial_word console=ttyS0,115200 quiet loglevel=4 panic=10");
  CHECK(linux_line(menu, "debug") ==
        "linux /2.0.0/vmlinuz console=ttyS0,115200 panic=10 rancher.debug=true");
  CHECK_THAT(linux_line(menu, "recovery"), Catch::EndsWith("panic=10 rancher.recovery=true"));
  CHECK_THAT(linux_line(menu, "autologin"),
             Catch::EndsWith("rancher.autologin=tty1 rancher.autologin=ttyS0"));
  grub_takes(menu);

  const std::vector<std::string> hard{"rancher.state.autoformat=[/dev/sda,/dev/vda]", "a='b c'",
                                      "d=$e;reboot", "f=\"g\""};
  const std::string odd = version_menu(release_of("Ann's $OS {", "vmlinuz"), hard);
  CHECK_THAT(odd, Contains("menuentry " + quote("Ann's $OS { 2.0.0") + " --id current {\n"));
  CHECK(linux_line(odd, "current") == "linux /2.0.0/vmlinuz $trial_word " + quote(hard));
  grub_takes(odd);
}

TEST_CASE("boot menu: a kernel in a squashfs, consoles of another machine", "[base]") {
  const std::string menu = version_menu(release_of("RancherOS", "kernel.squashfs"),
                                        {"console=tty1", "console=ttyAMA0,115200"});
  CHECK_THAT(menu, Contains("  loopback kernel-2.0.0 /2.0.0/kernel.squashfs\n"
                            "  linux (kernel-2.0.0)/vmlinuz "));
  CHECK_THAT(menu, Contains("(autologin on tty1 and ttyAMA0)"));
  CHECK_THAT(linux_line(menu, "autologin"),
             Catch::EndsWith("rancher.autologin=tty1 rancher.autologin=ttyAMA0"));
  grub_takes(menu);
}

TEST_CASE("grub.cfg: GRUB takes it, whatever the title", "[base]") {
  const std::string config = grub_config("RancherOS", kBootLabel, "2.0.0");
  CHECK_THAT(config, Contains("--label RANCHER_BOOT ") && Contains("set current=2.0.0\n"));
  grub_takes(config);
  grub_takes(grub_config("Ann's $OS {", kIsoLabel, "1"));
}

TEST_CASE("disk layout: the loader learns where its parts are", "[base]") {
  std::string sector(512, '\0'), core(1024, '\0');
  place_core(sector, core, 0x0102030405060708);
  CHECK(hex(sector.substr(0x5c, 8)) == "0807060504030201");
  CHECK(hex(core.substr(500, 8)) == "0907060504030201");
  std::string small(10, '\0');
  CHECK_THROWS_AS(place_core(small, core, 1), Error);
  CHECK(boot_partition_size(100 * kMebibyte) >= 264 * kMebibyte);
  CHECK(boot_partition_size(1) % kMebibyte == 0);
}
