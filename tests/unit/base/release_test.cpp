#include "runtime/base/release.h"

#include <catch2/catch.hpp>

#include "runtime/base/error.h"

using namespace ros;
using Catch::Contains;

namespace {

const std::string kDigest(64, 'a');

std::string block(const std::string& version) {
  return "version " + version +
         "\nplatform amd64\ntitle Rancher OS\ncmdline console=ttyS0,115200 a='b c'\n"
         "file kernel " +
         version + "/vmlinuz 10 " + kDigest + "\nfile initrd " + version + "/initrd 20 " + kDigest +
         "\nfile layer layers/base-0123.squashfs 30 " + kDigest +
         "\nfile loader loader/core-0123.img 512 " + kDigest + "\n";
}

void refused(const std::string& text, const std::string& why) {
  INFO(text);
  CHECK_THROWS_WITH(parse_releases(text, "index"), Contains(why));
}

std::string with_file(const std::string& line) { return block("1") + "file " + line + "\n"; }

}  // namespace

TEST_CASE("release: what is written is read again, comments and blank lines between", "[base]") {
  const auto all =
      parse_releases("# ours\n\n" + block("2.0.0") + "\n" + block("2.0.1~rc1"), "index");
  REQUIRE(all.size() == 2);
  CHECK(all[1].version == "2.0.1~rc1");
  CHECK(all[0].title == "Rancher OS");
  CHECK(all[0].cmdline == std::vector<std::string>{"console=ttyS0,115200", "a='b", "c'"});
  CHECK(all[0].files[2] == ReleaseFile{"layer", "layers/base-0123.squashfs", 30, kDigest});
  CHECK(parse_releases(to_text(all[0]) + to_text(all[1]), "again") == all);
  CHECK(parse_releases("", "index").empty());
}

TEST_CASE("release: an architecture is told unless it is the first one", "[base]") {
  Release release = parse_releases(block("1"), "index")[0];
  CHECK(release.arch == "amd64");
  CHECK_THAT(to_text(release), !Contains("arch"));
  release.arch = "arm64";
  release.files[0].path = "1/kernel.squashfs";
  CHECK(parse_releases(to_text(release), "again") == std::vector<Release>{release});
  CHECK(kernel_path(release) == "1/kernel.squashfs");
  CHECK_THROWS_WITH(kernel_path({.version = "9"}), "version 9 has no kernel");

  release.arch = kOwnArch;
  CHECK_NOTHROW(check_arch(release));
  release.arch = "sparc";
  CHECK_THROWS_WITH(check_arch(release), Contains("version 1 is for sparc machines"));
}

TEST_CASE("release: a file has its place, and no other", "[base]") {
  for (const char* path : {"../x", "/etc/passwd", "layers/../x", "layers/", "layers/a/b",
                           "layers/.hidden", "loader/x", "1/vmlinuz"})
    refused(with_file("layer " + std::string{path} + " 1 " + kDigest),
            "index:9:1: no layer is called");
  refused(with_file("kernel 2/vmlinuz 1 " + kDigest), "no kernel is called");
  refused(with_file("toy layers/x 1 " + kDigest), "no toy is called");
  refused(with_file("layer layers/base-0123.squashfs 30 " + kDigest), "is there twice");
}

TEST_CASE("release: versions, sizes and digests that are none are refused", "[base]") {
  for (const char* version :
       {"", "..", ".", "a/b", "a b", "layers", "grub", "loader", "lost+found", "overlays", "$x"})
    refused("version " + std::string{version} + "\n", "index:1:1: this is no version");
  CHECK_FALSE(is_version(std::string(65, '1')));
  refused(block("1") + block("1"), "1 is there twice");
  for (const char* size : {"0", "-1", "1x", "18446744073709551616", "1099511627777"})
    refused(with_file("layer layers/x " + std::string{size} + " " + kDigest), "no number of bytes");
  refused(with_file("layer layers/x 1 abc"), "no SHA-256");
  refused(with_file("layer layers/x 1 " + std::string(64, 'A')), "no SHA-256");
  refused("platform amd64\n", "begins with its version");
  refused("version 1\n", "version 1 has no kernel");
  refused("version 1\nversion 2\n", "version 1 has no kernel");
  refused("version 1\nsomething\n", "index:2:1: not understood: something");
  refused(std::string{"version 1\ncmdline a\x01"}, "not understood");
}
