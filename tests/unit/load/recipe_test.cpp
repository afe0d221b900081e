#include "builder/load/recipe.h"

#include "root.h"

using namespace rosbuild;

TEST_CASE("recipe: every key of a layer arrives", "[load]") {
  const Root root;
  root.put("recipes/files/base/etc/motd", "hello\n");
  root.put("kernel-configs/all.list", "ext4\n");
  root.put("recipes/layers/base.yaml",
           "name: base\n"
           "packages: [bash]\n"
           "without: [perl-base]\n"
           "only: ['lib*']\n"
           "remove: ['usr/share/doc/**']\n"
           "keep: [usr/share/doc/x]\n"
           "files: files/base\n"
           "links: {usr/sbin/iptables: xtables-nft-multi}\n"
           "directories:\n"
           "  var/lib/chrony: {mode: 0750, owner: _chrony, group: adm}\n"
           "  opt: {}\n"
           "users:\n"
           "  - {name: rancher, uid: 1100, group: rancher, home: /home/rancher,\n"
           "     shell: /bin/bash, groups: [docker, sudo]}\n"
           "groups: [{name: docker, gid: 1101}]\n");
  root.put("recipes/layers/kernel.yaml",
           "name: kernel\n"
           "kernel: {package: linux-image-amd64, modules: [kernel-configs/all.list],\n"
           "         early: [], config: []}\n");
  const auto recipes = root.load();
  const auto& base = recipes.layers.at("base");
  CHECK(base.packages ==
        std::vector<Text>{{"bash", {(root.path() / "recipes/layers/base.yaml").string(), 2, 12}}});
  CHECK(base.without == std::vector<std::string>{"perl-base"});
  CHECK(base.only == std::vector<std::string>{"lib*"});
  CHECK(base.remove == std::vector<std::string>{"usr/share/doc/**"});
  CHECK(base.keep == std::vector<std::string>{"usr/share/doc/x"});
  CHECK(base.files->value == root.path() / "recipes/files/base");
  CHECK(base.links.at("usr/sbin/iptables") == "xtables-nft-multi");
  CHECK(base.directories.at("var/lib/chrony").mode == 0750);
  CHECK(base.directories.at("var/lib/chrony").owner == "_chrony");
  CHECK(base.directories.at("var/lib/chrony").group == "adm");
  CHECK(base.directories.at("opt").mode == 0755);
  REQUIRE(base.users.size() == 1);
  CHECK(base.users[0].uid == 1100);
  CHECK(base.users[0].groups == std::vector<std::string>{"docker", "sudo"});
  CHECK(base.groups.at(0).gid == 1101);
  CHECK_FALSE(base.runtime);
  CHECK(recipes.layers.at("runtime").runtime);
  CHECK(recipes.layers.at("runtime").block_size == 256 * 1024);
  CHECK(base.block_size == 1024 * 1024);
  const auto& kernel = recipes.layers.at("kernel").kernel;
  REQUIRE(kernel);
  CHECK(kernel->package.value == "linux-image-amd64");
  CHECK(kernel->modules.at(0).value == root.path() / "kernel-configs/all.list");
  CHECK(recipes.distribution.epoch == 1767225600);
  CHECK(recipes.distribution.tools.at(0).value == "mtools");
}

TEST_CASE("recipe: boot loaders of another architecture", "[load]") {
  const Root root;
  const fs::path file = root.path() / "recipes/distribution.yaml";
  const std::string text = ros::read_file(file);
  root.put("recipes/distribution.yaml", text + "loaders: {arm64: [shim-signed]}\n");
  const auto loaders = root.load().distribution.loaders;
  CHECK(values(loaders.at("arm64")) == std::vector<std::string>{"shim-signed"});
  root.put("recipes/distribution.yaml", text + "loaders: {arm46: [], arm64: [Shim]}\n");
  CHECK_THAT(root.complaint(),
             Catch::Contains("distribution.yaml:8:30: 'Shim' is not a package name") &&
                 Catch::Contains("distribution.yaml:8:11: unknown key 'arm46' in loaders"));
}

TEST_CASE("recipe: a layer's problems come all at once, each with its place", "[load]") {
  const Root root;
  root.put("recipes/layers/base.yaml",
           "name: bose\n"
           "pakages: [bash]\n"
           "packages: [bash, Bash, bash]\n"
           "without: [bash]\n"
           "remove: [/usr/share]\n"
           "files: files/none\n"
           "links: {../etc/x: y}\n"
           "directories: {opt: {mode: 755, ownr: x}}\n"
           "users: [{name: a, uid: -1, group: g, home: /, shell: /bin/sh}]\n"
           "groups: [{name: g, gid: 7}, {name: h, gid: 7}, {name: g, gid: 8}]\n"
           "runtime: on\n"
           "block_size: 48KiB\n");
  CHECK(root.complaint() ==
        "recipes/layers/base.yaml:1:7: the name is 'bose' but the file is 'base.yaml'\n"
        "recipes/layers/base.yaml:3:18: 'Bash' is not a package name\n"
        "  hint: lower-case letters, digits and + - . only\n"
        "recipes/layers/base.yaml:3:24: package 'bash' stands twice; first in line 3\n"
        "recipes/layers/base.yaml:5:10: '/usr/share' is not a plain relative path\n"
        "  hint: write it as usr/bin/name, without a slash in front, '.' or '..'\n"
        "recipes/layers/base.yaml:6:8: there is no folder 'recipes/files/none'\n"
        "recipes/layers/base.yaml:7:9: '../etc/x' is not a plain relative path\n"
        "  hint: write it as usr/bin/name, without a slash in front, '.' or '..'\n"
        "recipes/layers/base.yaml:8:27: expected a file mode, found '755'\n"
        "  hint: write 0755\n"
        "recipes/layers/base.yaml:8:32: unknown key 'ownr' in directory\n"
        "  hint: did you mean 'owner'?\n"
        "recipes/layers/base.yaml:9:24: 'uid' is -1, but must be 0 to 4294967294\n"
        "recipes/layers/base.yaml:10:36: group 'h' has the id 7 of 'g'\n"
        "recipes/layers/base.yaml:10:55: group 'g' stands twice; first in line 10\n"
        "recipes/layers/base.yaml:11:10: expected true or false, found 'on'\n"
        "recipes/layers/base.yaml:12:13: squashfs has no blocks of 49152 bytes\n"
        "  hint: a power of two from 4KiB to 1MiB\n"
        "recipes/layers/base.yaml:2:1: unknown key 'pakages' in layer\n"
        "  hint: did you mean 'packages'?\n"
        "recipes/layers/base.yaml:4:11: package 'bash' is asked for in line 3\n"
        "recipes/layers/base.yaml:4:11: package 'bash' is asked for in line 3");
}

TEST_CASE("recipe: names that rosbuild needs itself are no layers", "[load]") {
  for (const std::string name : {"loaders", "platform", "tools"}) {
    const Root root;
    root.put("recipes/layers/" + name + ".yaml", "name: " + name + "\npackages: [bash]\n");
    CHECK(root.complaint() ==
          "recipes/layers/" + name + ".yaml:1:7: no layer can be called '" + name +
              "'\n  hint: rosbuild makes one of that name; rename this file and its name");
  }
}

TEST_CASE("recipe: a kernel layer names files that exist and no packages", "[load]") {
  const Root root;
  root.put("recipes/layers/kernel.yaml",
           "name: kernel\n"
           "packages: [bash]\n"
           "kernel:\n"
           "  package: linux-image-amd64\n"
           "  modules: [kernel-configs/no.list]\n"
           "  early: [../secret]\n");
  CHECK(root.complaint() ==
        "recipes/layers/kernel.yaml:5:13: there is no file 'kernel-configs/no.list'\n"
        "recipes/layers/kernel.yaml:6:11: '../secret' is not a plain relative path\n"
        "  hint: write it as usr/bin/name, without a slash in front, '.' or '..'\n"
        "recipes/layers/kernel.yaml:4:3: kernel has no 'config'\n"
        "recipes/layers/kernel.yaml:2:12: a kernel layer has no packages of its own\n"
        "  hint: name them in another layer");
}

TEST_CASE("recipe: problems of all files come together", "[load]") {
  const Root root;
  root.put("recipes/distribution.yaml",
           "name: rancheros\ntitle: [x]\nversion: 2/0\nepoch: soon\nsuites: trixie\n"
           "components: [main]\n");
  root.put("recipes/layers/base.yaml", "name: base\npackages: [bash\n");
  root.put("recipes/layers/old.yml", "name: old\n");
  root.put("platforms/amd64.yaml", "name: amd64\n");
  CHECK(root.complaint() ==
        "recipes/distribution.yaml:2:8: expected text, found a list\n"
        "recipes/distribution.yaml:3:10: '2/0' cannot be a version\n"
        "  hint: letters, digits, '.', '-' and '_', starting with a letter or digit\n"
        "recipes/distribution.yaml:4:8: expected a whole number, found 'soon'\n"
        "recipes/distribution.yaml:5:9: expected a list, found 'trixie'\n"
        "  hint: write [trixie]\n"
        "recipes/distribution.yaml:1:1: distribution has no 'tools'\n"
        "recipes/layers/old.yml: is not read: the suffix here is .yaml\n"
        "recipes/layers/base.yaml:3:1: not valid YAML: end of sequence flow not found\n"
        "platforms/amd64.yaml:1:1: platform has no 'description'\n"
        "platforms/amd64.yaml:1:1: platform has no 'arch'\n"
        "platforms/amd64.yaml:1:1: platform has no 'layers'");
}

TEST_CASE("recipe: an empty root names what is missing", "[load]") {
  const ros::TempDir folder;
  ros::Problems problems;
  load_all(folder.path(), problems);
  CHECK(problems.size() == 3);
  try {
    problems.throw_if_any();
  } catch (const ros::Error& error) {
    const std::string text = error.what();
    CHECK(text.find("recipes/distribution.yaml") != std::string::npos);
    CHECK(text.find("recipes/layers: cannot be read: No such file") != std::string::npos);
    CHECK(text.find("platforms: cannot be read: No such file") != std::string::npos);
  }
}
