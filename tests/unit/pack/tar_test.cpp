#include "builder/pack/tar.h"

#include <fcntl.h>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "tests/unit/pack/read_back.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

std::string tar_of(const Tree& tree) {
  return written(tree, [](const Tree& from, const Sink& sink) { write_tar(from, sink); });
}

// Of one piece.
void write_tar_gz(const Tree& tree, const fs::path& out, unsigned threads) {
  const ros::TempDir folder;
  write_tar_piece(tree, folder.path() / "piece", 6, threads);
  join_tar_pieces({folder.path() / "piece"}, out);
}

std::string listing(const Tree& tree) {
  return ask(
      {.argv = {"tar", "--numeric-owner", "--full-time", "-tvf", "-"}, .input = tar_of(tree)});
}

}  // namespace

TEST_CASE("tar: tar lists every kind of entry", "[pack]") {
  Tree tree;
  tree.put("dev/sda", {.type = EntryType::block_device, .mode = 0660, .gid = 6, .major = 8});
  tree.put(
      "etc/shadow",
      {.mode = 0640, .uid = 7, .gid = 42, .mtime = 1700000000, .content = std::string("secret")});
  tree.put_link("lib", "usr/lib");
  tree.put_file("usr/bin/su", std::string(1001, 's'), 04755);
  tree.put_directory("tmp", 01777);
  const std::string bytes = tar_of(tree);
  CHECK(bytes.size() % 10240 == 0);
  CHECK(bytes.substr(257, 8) == std::string("ustar\00000", 8));
  const std::string list = listing(tree);
  CHECK_THAT(list, Contains("brw-rw---- 0/6 ") && Contains("8,0 "));
  CHECK_THAT(list, Contains("-rw-r----- 7/42") && Contains("6 2023-11-14 22:13:20 etc/shadow"));
  CHECK_THAT(list, Contains("lib -> usr/lib"));
  CHECK_THAT(list, Contains("-rwsr-xr-x 0/0") && Contains("1001 1970-01-01 00:00:00 usr/bin/su"));
  CHECK_THAT(list, Contains("drwxrwxrwt 0/0"));
}

TEST_CASE("tar: what ustar cannot hold comes in pax records", "[pack]") {
  const std::string long_name = "d/" + std::string(150, 'n');  // no place to split
  const std::string split = std::string(120, 'p') + "/" + std::string(90, 'q');
  const std::string target(300, 't');
  Tree tree;
  tree.put_file(long_name, std::string("long"));
  tree.put_file(split, std::string("split"));
  tree.put_link("link", target);
  tree.put("rich", {.uid = 3'000'000, .gid = 2'999'999});
  const std::string list = listing(tree);
  CHECK_THAT(list, Contains(" " + long_name + "\n"));
  CHECK_THAT(list, Contains(" " + split + "\n"));
  CHECK_THAT(list, Contains("link -> " + target + "\n"));
  CHECK_THAT(list, Contains("3000000/2999999"));
  CHECK_THAT(tar_of(tree), Contains("15 uid=3000000\n15 gid=2999999\n"));
}

TEST_CASE("tar: lengths of pax records count their own digits", "[pack]") {
  for (std::size_t size = 80; size < 110; ++size) {
    Tree tree;
    tree.put_link("a", std::string(size, 't'));
    CHECK_THAT(listing(tree), Contains("a -> " + std::string(size, 't') + "\n"));
  }
  Tree tree;
  for (std::size_t size = 960; size < 1010; ++size)
    tree.put_link("a" + std::to_string(size), std::string(size, 't'));
  const std::string list = listing(tree);
  for (std::size_t size = 960; size < 1010; ++size)
    CHECK_THAT(list, Contains("a" + std::to_string(size) + " -> " + std::string(size, 't') + "\n"));
}

TEST_CASE("tar: to a descriptor go the same bytes, an empty tree is an archive", "[pack]") {
  const ros::TempDir folder;
  const fs::path file = folder.path() / "a.tar";
  Tree tree;
  tree.put_file("a", std::string(3'000'000, 'a'));
  tree.put_file("b", std::string("b"));
  write_tar(tree, ros::open_file(file.string(), O_WRONLY | O_CREAT | O_TRUNC).get());
  CHECK(ros::read_file(file) == tar_of(tree));
  CHECK(tar_of({}) == std::string(10240, '\0'));
}

TEST_CASE("tar.gz: gzip gives the tar back, whatever the number of threads", "[pack]") {
  const ros::TempDir folder;
  const fs::path file = folder.path() / "a.tar.gz";
  Tree tree;
  std::string noise;
  for (int i = 0; noise.size() < 2'500'000; ++i) noise += ros::sha256(std::to_string(i));
  tree.put_file("noise", noise);
  tree.put_file("zeros", std::string(3'000'000, '\0'));
  std::string first;
  for (const unsigned threads : {0U, 1U, 4U}) {
    write_tar_gz(tree, file, threads);
    if (first.empty()) first = ros::sha256_file(file);
    CHECK(ros::sha256_file(file) == first);
  }
  CHECK(ask({.argv = {"gzip", "-dc", file.string()}}) == tar_of(tree));
  write_tar_gz({}, file, 2);
  CHECK(ask({.argv = {"gzip", "-dc", file.string()}}) == tar_of({}));
}

TEST_CASE("tar.gz: of several pieces, the last one's entry counts", "[pack]") {
  const ros::TempDir folder;
  const auto at = [&](const char* name) { return folder.path() / name; };
  Tree lower, upper;
  lower.put_file("etc/first", std::string(20'000, 'a'));
  lower.put_file("etc/shared", std::string("lower"));
  upper.put_file("etc/shared", std::string("upper"), 0600);
  write_tar_piece(lower, at("1"), 6, 2);
  write_tar_piece(upper, at("2"), 6, 2);
  join_tar_pieces({at("1"), at("2")}, at("both.tar.gz"));
  CHECK(ask({.argv = {"gzip", "-dc", at("both.tar.gz").string()}}).size() % 10240 == 0);
  for (const std::string tar : {"tar", "bsdtar"}) {
    const fs::path out = at(tar.c_str());
    fs::create_directory(out);
    ask({.argv = {tar, "-xzpf", at("both.tar.gz").string(), "-C", out.string()}});
    CHECK(ros::read_file(out / "etc/first").size() == 20'000);
    CHECK(ros::read_file(out / "etc/shared") == "upper");
    CHECK(fs::status(out / "etc/shared").permissions() == static_cast<fs::perms>(0600));
  }
}

TEST_CASE("tar: content that is gone is an error", "[pack]") {
  const ros::TempDir folder;
  const fs::path file = folder.path() / "file";
  ros::write_file(file, "12345");
  Tree tree;
  tree.put_file("a", Content::whole_file(file));
  ros::write_file(file, "123");
  CHECK_THROWS_AS(tar_of(tree), ros::Error);
  fs::remove(file);
  CHECK_THROWS_AS(tar_of(tree), ros::Error);
  CHECK_THROWS_AS(write_tar_piece(tree, folder.path() / "out", 6, 2), ros::Error);
}
