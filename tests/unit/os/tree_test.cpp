#include "builder/os/tree.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "runtime/base/error.h"

using namespace rosbuild;

TEST_CASE("tree: parents are added, and entries come in order", "[os]") {
  Tree tree;
  tree.put_file("usr/bin/b", std::string("B"), 0755);
  tree.put_file("etc/a", std::string("A"));
  std::vector<std::string> paths;
  for (const auto& [path, entry] : tree.entries()) paths.push_back(path);
  CHECK(paths == std::vector<std::string>{"etc", "etc/a", "usr", "usr/bin", "usr/bin/b"});
  CHECK(tree.find("usr")->type == EntryType::directory);
  CHECK(tree.find("usr/bin/b")->mode == 0755);
}

TEST_CASE("tree: a parent that is a symlink is followed", "[os]") {
  Tree tree;
  tree.put_directory("usr/lib");
  tree.put_link("lib", "usr/lib");
  tree.put_directory("lib/modules");
  tree.put_file("lib/modules/x", std::string("X"));
  CHECK(tree.find("lib")->type == EntryType::symlink);
  CHECK(tree.contains("usr/lib/modules/x"));
  CHECK(tree.resolve("lib/modules/x") == "usr/lib/modules/x");
  CHECK(tree.resolve("lib/none").empty());
}

TEST_CASE("tree: a folder over a link to a folder keeps the link", "[os]") {
  Tree tree;
  tree.put_directory("usr/bin");
  tree.put_link("bin", "usr/bin");
  tree.put_directory("bin");
  CHECK(tree.find("bin")->type == EntryType::symlink);
}

TEST_CASE("tree: a file over a folder removes what was below", "[os]") {
  Tree tree;
  tree.put_file("a/b/c", std::string("1"));
  tree.put_file("a/b", std::string("2"));
  CHECK_FALSE(tree.contains("a/b/c"));
  CHECK(tree.find("a/b")->content.read() == "2");
}

TEST_CASE("tree: remove takes children, not neighbours", "[os]") {
  Tree tree;
  tree.put_file("a/x", std::string("1"));
  tree.put_file("a.txt", std::string("2"));
  tree.put_file("ab/x", std::string("3"));
  tree.remove("a");
  CHECK_FALSE(tree.contains("a"));
  CHECK_FALSE(tree.contains("a/x"));
  CHECK(tree.contains("a.txt"));
  CHECK(tree.contains("ab/x"));
}

TEST_CASE("tree: a loop of links is an error, not a hang", "[os]") {
  Tree tree;
  tree.put_link("a", "b");
  tree.put_link("b", "a");
  CHECK_THROWS_WITH(tree.put_file("a/x", std::string("1")), Catch::Contains("symbolic links"));
}

TEST_CASE("tree: written to a folder and read back it is the same", "[os]") {
  const ros::TempDir folder;
  Tree tree;
  tree.put_file("bin/tool", std::string(2'500'000, 'x'), 0755);
  tree.put_link("bin/alias", "tool");
  tree.put_directory("empty");
  write_tree(tree, folder.path() / "out");
  const Tree again = read_tree(folder.path() / "out", 0);
  REQUIRE(again.entries().size() == tree.entries().size());
  CHECK(again.find("bin/tool")->content.read() == tree.find("bin/tool")->content.read());
  CHECK(again.find("bin/tool")->mode == 0755);
  CHECK(again.find("bin/alias")->target == "tool");
}

TEST_CASE("tree: content is a range of a file", "[os]") {
  const ros::TempDir folder;
  ros::write_file(folder.path() / "data", "0123456789");
  CHECK(Content(FileRange{folder.path() / "data", 3, 4}).read() == "3456");
  CHECK_THROWS_WITH(Content(FileRange{folder.path() / "data", 8, 4}).read(),
                    Catch::Contains("unexpected end"));
}

TEST_CASE("tree: times are clamped, older ones kept", "[os]") {
  Tree tree;
  tree.put("new", Entry{.mtime = 200});
  tree.put("old", Entry{.mtime = 50});
  tree.clamp_times(100);
  CHECK(tree.find("new")->mtime == 100);
  CHECK(tree.find("old")->mtime == 50);
}
