#include "runtime/config/load.h"

#include <catch2/catch.hpp>

#include "runtime/base/error.h"
#include "runtime/config/schema.h"

using namespace ros;

namespace {

struct Root {
  TempDir folder;
  const fs::path& path() const { return folder.path(); }
  void put(const std::string& name, const std::string& text) { write_file(path() / name, text); }
};

}  // namespace

TEST_CASE("layers count in their order and say where a value comes from") {
  Root root;
  root.put("usr/share/ros/os-config.yml", "hostname: one\nrancher: {shutdown_timeout: 60}\n");
  root.put("var/lib/rancher/conf/cloud-config.d/b.yml", "hostname: three\n");
  root.put("var/lib/rancher/conf/cloud-config.d/a.yml",
           "hostname: two\nssh_authorized_keys: [k1, k2]\n");
  root.put("var/lib/rancher/conf/cloud-config.d/.hidden.yml", "hostname: hidden\n");
  root.put("var/lib/rancher/conf/cloud-config.d/notes.txt", "hostname: notes\n");
  root.put("usr/share/ros/platform.yml", "rancher: {cloud_init: {datasources: [nocloud]}}\n");
  Config config = load_config(root.path());
  CHECK(config.text("hostname") == "three");
  CHECK(config.texts("rancher.cloud_init.datasources") == std::vector<std::string>{"nocloud"});
  CHECK(config.texts("ssh_authorized_keys") == std::vector<std::string>{"k1", "k2"});
  root.put("var/lib/rancher/conf/cloud-config.yml", "#cloud-config\r\nhostname: four\r\n");
  config = load_config(root.path());
  CHECK(config.text("hostname") == "four");
  CHECK(config.find("hostname")->position().file ==
        (root.path() / "var/lib/rancher/conf/cloud-config.yml").string());
  root.put("proc/cmdline", "quiet cc.hostname=five rancher.shutdown_timeout=20\n");
  config = load_config(root.path());
  CHECK(config.text("hostname") == "five");
  CHECK(config.find("hostname")->position().file == "kernel command line");
  CHECK(config.integer("rancher.shutdown_timeout", 0) == 20);
  CHECK(load_config(root.path(), {false, false}).integer("rancher.shutdown_timeout", 7) == 7);
  CHECK(config.problems.empty());
}

TEST_CASE("a bad layer costs itself and no other") {
  Root root;
  root.put("usr/share/ros/os-config.yml", "hostname: base\n");
  root.put("var/lib/rancher/conf/cloud-config.d/a.yml", "hostname: [\n");
  root.put("var/lib/rancher/conf/cloud-config.d/b.yml", "hostname: good\nrunmcd: [x]\n");
  const Config config = load_config(root.path());
  CHECK(config.text("hostname") == "good");
  REQUIRE(config.problems.size() == 2);
  CHECK(config.problems[0].find("a.yml:") != std::string::npos);
  CHECK(config.problems[1].find("b.yml:2:1: unknown key runmcd") != std::string::npos);
}

TEST_CASE("a mistake that may have cost a key is no consent to its default") {
  Root root;
  const auto require_whole = [&](const std::string& user) {
    root.put("var/lib/rancher/conf/cloud-config.yml", user);
    load_config(root.path()).require_whole("rancher.upgrade");
  };
  for (const char* harmless :
       {"rancher: {upgrade: {keys: [k]}}\n", "rancher: {upgrade: {keys: }}\n", "", "runmcd: [x]\n",
        "rancher: {debug: perhaps}\n", "rancher: {upgrades: [k]}\n"}) {
    CAPTURE(harmless);
    CHECK_NOTHROW(require_whole(harmless));
  }
  for (const char* doubtful :
       {"rancher: {upgrade: {keys: {a: b}}}\n", "rancher: {upgrade: {keys: [[k]]}}\n",
        "rancher: {upgrade: {keys: [k, [l]]}}\n", "rancher: {upgrade: {key: k}}\n",
        "rancher: {upgrade: [k]}\n", "rancher: [upgrade]\n", "rancher: {upgrade: {keys: [k}\n",
        "just words\n"}) {
    CAPTURE(doubtful);
    CHECK_THROWS_WITH(require_whole(doubtful),
                      Catch::Matchers::Contains("what rancher.upgrade says is not known") &&
                          Catch::Matchers::Contains("cloud-config.yml:1:"));
  }
}

TEST_CASE("the kernel command line is read as the old system read it") {
  const Value tree = parse_command_line(Cmdline{
      "BOOT=/x rancher.debug rancher.password=a:b?c rancher.state.autoformat=[/dev/sda, /dev/vda] "
      "rancher.network.interfaces.eth0.dhcp=true cc.hostname=\"my box\" rancher.autologin=tty1 "
      "rancher.autologin=ttyS0 rancherx.y=1 cc.=1 rancher.=2 rancher..x=3 cc..y=4 rancher.log=1"});
  CHECK(tree.find_path("rancher.debug")->as_bool() == true);
  CHECK(tree.find_path("rancher.log")->as_bool() == true);
  CHECK(tree.find_path("rancher.password")->text() == "a:b?c");
  CHECK(tree.find_path("rancher.state.autoformat")->as_texts() ==
        std::vector<std::string>{"/dev/sda", "/dev/vda"});
  CHECK(tree.find_path("rancher.network.interfaces.eth0.dhcp")->as_bool() == true);
  CHECK(tree.find("hostname")->text() == "my box");
  CHECK(tree.find_path("rancher.autologin")->as_texts() ==
        std::vector<std::string>{"tty1", "ttyS0"});
  CHECK(tree.members().size() == 2);
}

TEST_CASE("broken parameters do no harm") {
  CHECK(parse_command_line(Cmdline{"rancher.modules=[a,"}).find_path("rancher.modules")->text() ==
        "[a,");
  CHECK(parse_command_line(Cmdline{"rancher.x=\"open"}).find_path("rancher.x"));
  CHECK(parse_command_line(Cmdline{""}).members().empty());
}

TEST_CASE("set writes only the user's file, and only what is valid") {
  Root root;
  root.put("usr/share/ros/os-config.yml", "rancher: {debug: false}\n");
  set_user_config("rancher.debug", Value::boolean(true), root.path());
  set_user_config("hostname", Value::scalar("0123", false), root.path());
  const auto file = root.path() / "var/lib/rancher/conf/cloud-config.yml";
  CHECK(read_file(file) == "#cloud-config\nrancher:\n  debug: true\nhostname: \"0123\"\n");
  CHECK((fs::status(file).permissions() & 0777) == 0600);
  CHECK_THROWS_WITH(set_user_config("rancher.debug", Value::scalar("maybe"), root.path()),
                    Catch::Contains("must be true or false"));
  CHECK_THROWS_AS(set_user_config("rancher.debugg", Value::boolean(true), root.path()), Error);
  CHECK(load_config(root.path()).flag("rancher.debug"));
  CHECK(load_config(root.path()).problems.empty());
}

TEST_CASE("a user's file that cannot be read is not overwritten") {
  Root root;
  root.put("var/lib/rancher/conf/cloud-config.yml", "hostname: [\n");
  CHECK_THROWS_AS(set_user_config("hostname", Value::scalar("x"), root.path()), Error);
  CHECK(read_file(root.path() / "var/lib/rancher/conf/cloud-config.yml") == "hostname: [\n");
  const auto file = root.path() / "var/lib/rancher/conf/cloud-config.yml";
  fs::remove(file);
  fs::create_symlink("cloud-config.yml", file);  // as with EIO: it is there, and cannot be opened
  CHECK_THROWS(set_user_config("hostname", Value::scalar("x"), root.path()));
  CHECK(fs::is_symlink(fs::symlink_status(file)));
}

TEST_CASE("load: sections with nothing in them keep what the image says") {
  Root root;
  root.put("usr/share/ros/os-config.yml",
           "rancher: {shutdown_timeout: 60, docker: {debug: true}}\n");
  root.put("var/lib/rancher/conf/cloud-config.d/a.yml",
           "#cloud-config\nrancher:\n  # debug: true\n");
  root.put("var/lib/rancher/conf/cloud-config.yml", "rancher:\n  docker:\n  shutdown_timeout:\n");
  const Config config = load_config(root.path());
  CHECK(config.flag("rancher.docker.debug"));
  CHECK(config.integer("rancher.shutdown_timeout", 7) == 7);
  CHECK(config.problems.empty());
}

TEST_CASE("an old mistake in the user's file does not forbid changes") {
  Root root;
  root.put("var/lib/rancher/conf/cloud-config.yml", "old_key: 1\n");
  set_user_config("hostname", Value::scalar("x"), root.path());
  CHECK(load_config(root.path()).text("hostname") == "x");
}

TEST_CASE("merge goes deep") {
  Root root;
  set_user_config("rancher.docker.debug", Value::boolean(true), root.path());
  merge_user_config(parse_yaml("rancher: {docker: {bip: 10.1.0.1/24}}", "in"), root.path());
  const Config config = load_config(root.path());
  CHECK(config.flag("rancher.docker.debug"));
  CHECK(config.text("rancher.docker.bip") == "10.1.0.1/24");
  CHECK_THROWS_AS(merge_user_config(parse_yaml("[1]", "in"), root.path()), Error);
}

TEST_CASE("the configuration that is shipped is valid") {
  Config config;
  const fs::path recipes = fs::path{SOURCE_DIR} / "recipes";
  add_layer(config, read_file(recipes / "os-config.yml"), "os-config.yml");
  int layers = 0;
  for (const auto& entry : fs::recursive_directory_iterator{recipes / "files"}) {
    if (entry.path().parent_path().filename() != "os-config.d") continue;
    add_layer(config, read_file(entry.path()), entry.path().filename().string());
    ++layers;
  }
  CHECK(layers == 3);
  for (const auto& problem : config.problems) FAIL_CHECK(problem);
  CHECK(config.find("rancher.services")->members().size() >= 6);
}

TEST_CASE("load: files of the image's layers count in the order of their names") {
  Root root;
  root.put("usr/share/ros/os-config.yml", "hostname: image\nrancher: {debug: true}\n");
  root.put("usr/share/ros/os-config.d/b.yml", "hostname: b\n");
  root.put("usr/share/ros/os-config.d/a.yml", "hostname: a\nrancher: {shutdown_timeout: 5}\n");
  root.put("usr/share/ros/os-config.d/c.txt", "hostname: c\n");
  const Config config = load_config(root.path());
  CHECK(config.text("hostname") == "b");
  CHECK(config.flag("rancher.debug"));
  CHECK(config.integer("rancher.shutdown_timeout", 0) == 5);
  root.put("usr/share/ros/platform.yml", "hostname: platform\n");
  CHECK(load_config(root.path()).text("hostname") == "platform");
}

TEST_CASE("load: the image's own file may be JSON, and says no line then") {
  Root root;
  root.put("usr/share/ros/os-config.yml", "{\"hostname\": \"image\", \"nothing\": 1}\n");
  Config config = load_config(root.path());
  CHECK(config.text("hostname") == "image");
  CHECK(config.find("hostname")->position() ==
        Position{(root.path() / "usr/share/ros/os-config.yml").string(), 0, 0});
  REQUIRE(config.problems.size() == 1);
  CHECK(config.problems[0].find("os-config.yml: unknown key nothing") != std::string::npos);
  root.put("usr/share/ros/os-config.yml", "{hostname: image}\n");  // YAML with a brace
  CHECK(load_config(root.path()).text("hostname") == "image");
}

TEST_CASE("load: the vendor's file lies between the image and the user") {
  Root root;
  root.put("usr/share/ros/os-config.yml", "hostname: image\nrancher: {shutdown_timeout: 60}\n");
  root.put("usr/share/ros/oem/oem-config.yml", "hostname: oem\nrancher: {shutdown_timeout: 30}\n");
  root.put("var/lib/rancher/conf/cloud-config.yml", "hostname: user\n");
  const Config config = load_config(root.path());
  CHECK(config.text("hostname") == "user");
  CHECK(config.integer("rancher.shutdown_timeout", 0) == 30);
  CHECK(load_config(root.path(), {false, false}).integer("rancher.shutdown_timeout", 7) == 7);
}

TEST_CASE("load: addresses of the metadata stand in users' files, and only there") {
  Root root;
  root.put("usr/share/ros/os-config.yml", "rancher: {environment: {A: $public_ipv4}}\n");
  root.put("var/lib/rancher/conf/metadata", "public_ipv4: 192.0.2.1\nprivate_ipv4: ''\n");
  root.put("var/lib/rancher/conf/cloud-config.d/a.yml",
           "rancher: {environment: {B: $public_ipv4, C: $private_ipv4}}\n");
  const Config config = load_config(root.path());
  CHECK(config.text("rancher.environment.A") == "$public_ipv4");
  CHECK(config.text("rancher.environment.B") == "192.0.2.1");
  CHECK(config.text("rancher.environment.C") == "$private_ipv4");
  root.put("var/lib/rancher/conf/metadata", "[\n");
  CHECK(load_config(root.path()).text("rancher.environment.B") == "$public_ipv4");
}

TEST_CASE("load: proxies, debug and the rest of the command line are passed on") {
  Root root;
  root.put("proc/cmdline", "rancher.debug -- rancher.shutdown_timeout=9 x=y\n");
  root.put("var/lib/rancher/conf/cloud-config.yml",
           "rancher: {network: {http_proxy: 'http://p:1'}, docker: {debug: false}, "
           "environment: {HTTP_PROXY: mine}}\n");
  const Config config = load_config(root.path());
  CHECK(config.text("rancher.environment.http_proxy") == "http://p:1");
  CHECK(config.text("rancher.environment.HTTP_PROXY") == "mine");
  CHECK_FALSE(config.find("rancher.environment.https_proxy"));
  CHECK(config.flag("rancher.system_docker.debug"));
  CHECK_FALSE(config.flag("rancher.docker.debug"));
  CHECK(config.integer("rancher.shutdown_timeout", 0) == 9);
  CHECK(config.text("rancher.environment.EXTRA_CMDLINE") == "rancher.shutdown_timeout=9 x=y");
}
