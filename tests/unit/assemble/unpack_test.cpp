#include "builder/assemble/unpack.h"

#include <catch2/catch.hpp>

#include "runtime/base/error.h"
#include "tests/unit/assemble/make_deb.h"

using namespace rosbuild;
using namespace testing_deb;
using Catch::Contains;

namespace {

struct Fixture {
  ros::TempDir folder;
  fs::path out = folder.path() / "out";

  Tree unpacked(const std::string& bytes) {
    ros::write_file(folder.path() / "x.deb", bytes);
    unpack_deb(folder.path() / "x.deb", out);
    return read_package(out);
  }
  std::string refusal(const std::string& bytes) {
    try {
      unpacked(bytes);
    } catch (const ros::Error& error) {
      return error.what();
    }
    return "accepted";
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "unpack: files, links, owners and modes of a package", "[assemble]") {
  const std::string big(3'000'000, 'b');
  const Tree tree = unpacked(
      deb(control("demo"),
          {{"./", AE_IFDIR, "", 0755},
           {"./usr/", AE_IFDIR, "", 0755},
           {"./usr/bin/", AE_IFDIR, "", 0755},
           {"./usr/bin/demo", AE_IFREG, "#!/bin/sh\n", 04755},
           {"./usr/bin/same", AE_IFREG, "./usr/bin/demo", 04755, true},
           {"./usr/bin/link", AE_IFLNK, "demo", 0777},
           {"./usr/bin/empty", AE_IFREG, "", 0600},
           {"./usr/bin/big", AE_IFREG, big, 0640, false, 3, 42},
           {"./" + std::string(150, 'n') + "/" + std::string(150, 'm'), AE_IFREG, "long"}}));
  CHECK(tree.find("usr/bin/demo")->content.read() == "#!/bin/sh\n");
  CHECK(tree.find("usr/bin/demo")->mode == 04755);
  CHECK(tree.find("usr/bin/demo")->mtime == 1'700'000'000);
  CHECK(*tree.find("usr/bin/same") == *tree.find("usr/bin/demo"));
  CHECK(tree.find("usr/bin/link")->target == "demo");
  CHECK(tree.find("usr/bin/empty")->content.size() == 0);
  CHECK(tree.find("usr/bin/big")->content.read() == big);
  CHECK(tree.find("usr/bin/big")->uid == 3);
  CHECK(tree.find("usr/bin/big")->gid == 42);
  CHECK(tree.find(std::string(150, 'n') + "/" + std::string(150, 'm'))->content.read() == "long");
  CHECK(control_field(read_control(out), "Version") == "1.0-1");
  CHECK(control_field(read_control(out), "Versio").empty());
}

TEST_CASE_METHOD(Fixture, "unpack: every compression that Debian uses", "[assemble]") {
  const std::vector<Item> items{{"./a", AE_IFREG, "content"}};
  CHECK(unpacked(deb(control("x"), items, archive_write_add_filter_zstd, "zst"))
            .find("a")
            ->content.read() == "content");
  CHECK(unpacked(deb(control("x"), items, archive_write_add_filter_gzip, "gz"))
            .find("a")
            ->content.read() == "content");
}

TEST_CASE_METHOD(Fixture, "unpack: what tries to leave the package is refused", "[assemble]") {
  CHECK_THAT(refusal(deb(control("x"), {{"/etc/passwd", AE_IFREG, "x"}})),
             Contains("x.deb is not a usable package: absolute path /etc/passwd"));
  CHECK_THAT(refusal(deb(control("x"), {{"./a/../../etc/passwd", AE_IFREG, "x"}})),
             Contains("leads out of the package"));
  CHECK_THAT(refusal(deb(control("x"), {{"./a", AE_IFREG, "../outside", 0644, true}})),
             Contains("leads out of the package"));
  CHECK_THAT(refusal(deb(control("x"), {{"./a", AE_IFREG, "missing", 0644, true}})),
             Contains("hard link"));
  CHECK_THAT(refusal(deb(control("x"), {{"./tty", AE_IFCHR, ""}})), Contains("neither a file"));
  CHECK_THAT(refusal(deb(control("x"), {{"./a\tb", AE_IFREG, ""}})), Contains("control character"));
}

TEST_CASE_METHOD(Fixture, "unpack: files below a link of the package stay in the tree",
                 "[assemble]") {
  const Tree tree = unpacked(
      deb(control("x"), {{"./run", AE_IFLNK, "/etc"}, {"./run/passwd", AE_IFREG, "hostile"}}));
  write_tree(tree, folder.path() / "written");
  CHECK(ros::read_file(folder.path() / "written/etc/passwd") == "hostile");
}

TEST_CASE_METHOD(Fixture, "unpack: damaged packages are refused", "[assemble]") {
  std::string random;
  unsigned state = 1;
  for (int i = 0; i < 300'000; ++i)
    random += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  const std::string good = deb(control("x"), {{"./a", AE_IFREG, random}, {"./b", AE_IFREG, "b"}});
  REQUIRE(refusal(good) == "accepted");
  for (const double part : {0.999, 0.9, 0.5, 0.01})
    CHECK_THAT(refusal(good.substr(0, static_cast<std::size_t>(part * double(good.size())))),
               Contains("x.deb is not a usable package"));
  std::string flipped = good;
  flipped[flipped.size() / 2] ^= 0x10;
  CHECK_THAT(refusal(flipped), Contains("not a usable package"));
  CHECK_THAT(refusal("no archive at all"), Contains("not a usable package"));
  CHECK_THAT(refusal(""), Contains("not a usable package"));
  CHECK_THAT(refusal(deb("nothing: here\n", {})), Contains("names no package"));
  CHECK_THAT(refusal(write_archive(archive_write_set_format_ar_svr4, archive_write_add_filter_none,
                                   {{"debian-binary", AE_IFREG, "2.0\n"}})),
             Contains("no control.tar"));
}
