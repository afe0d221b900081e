#include "builder/assemble/layer.h"

#include <catch2/catch.hpp>
#include <set>

#include "builder/assemble/ld_cache.h"
#include "builder/assemble/unpack.h"
#include "builder/os/process.h"
#include "runtime/base/error.h"
#include "tests/unit/assemble/make_deb.h"

using namespace rosbuild;
using namespace testing_deb;
using Catch::Contains;

namespace {

constexpr std::int64_t kEpoch = 1'600'000'000;

struct Packages {
  ros::TempDir folder;

  fs::path add(const std::string& name, const std::vector<Item>& items,
               const std::string& more = "") {
    const fs::path file = folder.path() / (name + ".deb");
    ros::write_file(file, deb(control(name, more), items));
    unpack_deb(file, folder.path() / name);
    return folder.path() / name;
  }
  std::vector<fs::path> base() {
    return {add("tool", {{"./bin/tool", AE_IFREG, "tool", 0755},
                         {"./usr/share/doc/tool/copyright", AE_IFREG, "licence"},
                         {"./usr/share/doc/tool/README", AE_IFREG, "read me"},
                         {"./usr/share/doc/other", AE_IFLNK, "tool"},
                         {"./usr/share/man/man1/tool.1", AE_IFREG, "manual"}}),
            add("base-files", {{"./bin", AE_IFLNK, "usr/bin"},
                               {"./usr/bin/", AE_IFDIR, "", 0755},
                               {"./root/", AE_IFDIR, "", 0700},
                               {"./var/run", AE_IFLNK, "/run"},
                               {"./run/", AE_IFDIR, "", 0755}}),
            add("base-passwd",
                {{"./usr/share/base-passwd/passwd.master", AE_IFREG,
                  "root:*:0:0:root:/root:/bin/bash\n"},
                 {"./usr/share/base-passwd/group.master", AE_IFREG, "root:*:0:\nshadow:*:42:\n"}}),
            add("ca",
                {{"./usr/share/ca-certificates/mozilla/B.crt", AE_IFREG, "BBB"},
                 {"./usr/share/ca-certificates/mozilla/A.crt", AE_IFREG, "AAA\n"}},
                "Source: ca-src (2)\n")};
  }
};

std::string text(const Tree& tree, const char* path) {
  REQUIRE(tree.contains(path));
  return tree.find(path)->content.read();
}

}  // namespace

TEST_CASE_METHOD(Packages, "layer: what maintainer scripts would do is done", "[assemble]") {
  LayerSpec spec{.name = "base", .arch = "amd64", .epoch = kEpoch, .packages = base()};
  spec.remove = {"usr/share/doc/**", "usr/share/man/**"};
  spec.groups = {{"ops", 900}};
  spec.users = {{"ops", 900, "ops", "/home/ops", "/bin/tool", {}}};
  spec.directories["home/ops"] = {.mode = 0750, .owner = "ops"};
  spec.directories["srv"] = {.mode = 0770, .group = "shadow"};
  spec.links["usr/bin/t"] = "tool";
  spec.files.put_file("etc/motd", std::string("hello"));
  const Tree tree = make_layer(spec);

  CHECK(tree.find("bin")->target == "usr/bin");
  CHECK(text(tree, "usr/bin/tool") == "tool");
  CHECK(tree.find("usr/bin/t")->target == "tool");
  CHECK_THAT(text(tree, "etc/passwd"), Contains("ops:x:900:900::/home/ops:/bin/tool"));
  CHECK(text(tree, "etc/ssl/certs/ca-certificates.crt") == "AAA\nBBB\n");
  CHECK(text(tree, "etc/machine-id").empty());
  CHECK(text(tree, "etc/motd") == "hello");
  CHECK(tree.find("home/ops")->uid == 900);
  CHECK(tree.find("home/ops")->gid == 900);
  CHECK(tree.find("home/ops")->mode == 0750);
  CHECK(tree.find("srv")->gid == 42);
  CHECK_THAT(text(tree, "var/lib/dpkg/status"),
             Contains("Package: tool\nStatus: install ok installed\n") &&
                 Contains("Source: ca-src (2)\nVersion: 1.0-1\n"));

  SECTION("licences stay, the rest of the documentation goes, with its folders") {
    CHECK(text(tree, "usr/share/doc/tool/copyright") == "licence");
    CHECK(tree.contains("usr/share/doc/other"));
    CHECK_FALSE(tree.contains("usr/share/doc/tool/README"));
    CHECK_FALSE(tree.contains("usr/share/man"));
  }
  SECTION("no time is later than the epoch, and the order of packages does not matter") {
    for (const auto& [path, entry] : tree.entries()) CHECK(entry.mtime <= kEpoch);
    std::reverse(spec.packages.begin(), spec.packages.end());
    CHECK(make_layer(spec) == tree);
  }
  SECTION("an exception to a removal") {
    spec.keep = {"usr/share/man/man1/*"};
    CHECK(make_layer(spec).contains("usr/share/man/man1/tool.1"));
  }
}

TEST_CASE_METHOD(Packages, "layer: a layer above overrides shared files with whole ones",
                 "[assemble]") {
  LayerSpec lower{.name = "base", .arch = "amd64", .epoch = kEpoch, .packages = base()};
  const Tree under = make_layer(lower);
  LayerSpec spec{.name = "engine", .arch = "amd64", .epoch = kEpoch};
  spec.packages = {add("engine", {{"./bin/engine", AE_IFREG, "e", 0755},
                                  {"./root/.engine", AE_IFREG, "r"},
                                  {"./var/run/engine/", AE_IFDIR, "", 0755}})};
  spec.groups = {{"docker", 1101}};
  spec.below = {&under};
  const Tree tree = make_layer(spec);

  CHECK(tree.contains("usr/bin/engine"));
  CHECK_FALSE(tree.contains("bin"));
  CHECK_FALSE(tree.contains("var/run"));
  CHECK(tree.contains("run/engine"));
  // The folder hides the one below, so it must look like it.
  CHECK(tree.find("root")->mode == 0700);
  CHECK_THAT(text(tree, "etc/group"), Contains("shadow:x:42:") && Contains("docker:x:1101:"));
  CHECK_THAT(text(tree, "var/lib/dpkg/status"),
             Contains("Package: tool\n") && Contains("Package: engine\n"));

  SECTION("without accounts of its own it leaves them alone") {
    spec.groups.clear();
    CHECK_FALSE(make_layer(spec).contains("etc/group"));
  }
}

TEST_CASE_METHOD(Packages, "layer: what the layers below have just so is not packed again",
                 "[assemble]") {
  const Tree lower = make_layer({.name = "base", .arch = "amd64", .packages = base()});
  LayerSpec spec{.name = "above", .arch = "amd64", .below = {&lower}};
  spec.files = lower;
  spec.files.put_file("usr/bin/tool", std::string("other"), 0755);                // another content
  spec.files.put_file("usr/share/man/man1/tool.1", std::string("manual"), 0600);  // another mode
  spec.files.put_file("usr/share/new/file", std::string("new"));
  const Tree tree = make_layer(spec);

  std::set<std::string> files;
  for (const auto& [path, entry] : tree.entries())
    if (entry.type != EntryType::directory) files.insert(path);
  CHECK(files ==
        std::set<std::string>{"usr/bin/tool", "usr/share/man/man1/tool.1", "usr/share/new/file"});
  CHECK_FALSE(tree.contains("etc"));
  CHECK_FALSE(tree.contains("bin"));
}

TEST_CASE_METHOD(Packages, "layer: two packages with one file need Replaces", "[assemble]") {
  LayerSpec spec{.name = "x", .arch = "amd64", .epoch = kEpoch};
  spec.packages = {add("a", {{"./etc/x", AE_IFREG, "from a"}})};
  SECTION("equal content") {
    spec.packages.push_back(add("b", {{"./etc/x", AE_IFREG, "from a"}}));
    CHECK(text(make_layer(spec), "etc/x") == "from a");
  }
  SECTION("different content") {
    spec.packages.push_back(add("b", {{"./etc/x", AE_IFREG, "from b"}}));
    CHECK_THROWS_WITH(make_layer(spec), Contains("packages a and b both ship etc/x"));
  }
  SECTION("the later one replaces the earlier") {
    spec.packages.push_back(add("b", {{"./etc/x", AE_IFREG, "from b"}}, "Replaces: y, a (<< 2)\n"));
    CHECK(text(make_layer(spec), "etc/x") == "from b");
  }
  SECTION("the earlier one replaces the later") {
    spec.packages[0] = add("a2", {{"./etc/x", AE_IFREG, "from a2"}}, "Replaces: b\n");
    spec.packages.push_back(add("b", {{"./etc/x", AE_IFREG, "from b"}}));
    CHECK(text(make_layer(spec), "etc/x") == "from a2");
  }
}

TEST_CASE("ld.so.cache: ldconfig reads what we write", "[assemble]") {
  const fs::path host = "/usr/lib/x86_64-linux-gnu";
  if (!find_program("ldconfig") || !fs::exists(host / "libz.so.1")) {
    WARN("SKIPPED: no ldconfig or no amd64 libraries here");
    return;
  }
  // The host's own libraries, under several names, and things that are none.
  Tree tree;
  const std::string folder = "usr/lib/x86_64-linux-gnu/";
  std::set<std::string> expected;
  for (const char* name : {"libz.so.1", "libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1",
                           "libpthread.so.0", "librt.so.1"}) {
    if (!fs::exists(host / name)) continue;
    tree.put_file(folder + name + ".99", Content::whole_file(fs::canonical(host / name)));
    tree.put_link(folder + name, std::string(name) + ".99");
    expected.insert(name);
  }
  tree.put_file(folder + "libc.so", std::string("/* GNU ld script */"));
  tree.put_link(folder + "libdangling.so", "nowhere");
  tree.put_file(folder + "sub/libz.so.1", std::string("elsewhere"));
  const ros::TempDir scratch;
  ros::write_file(scratch.path() / "cache", make_ld_cache(tree, "amd64"));
  const std::string listed =
      capture({.argv = {"ldconfig", "-p", "-C", (scratch.path() / "cache").string()}});
  CHECK_THAT(listed, Contains(std::to_string(expected.size()) + " libs found"));
  for (const auto& name : expected)
    CHECK_THAT(listed, Contains("\t" + name + " (libc6,x86-64) => /" + folder + name + "\n"));
}
