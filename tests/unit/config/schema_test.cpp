#include "runtime/config/schema.h"

#include <catch2/catch.hpp>
#include <regex>
#include <set>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"

using namespace ros;

namespace {

std::vector<std::string> problems_of(Value& tree) {
  std::vector<Error> errors;
  validate(tree, errors);
  std::vector<std::string> texts;
  for (const auto& error : errors) texts.emplace_back(error.what());
  return texts;
}

}  // namespace

TEST_CASE("the table has each key once, with a meaning") {
  std::set<std::string_view> seen;
  for (const Key& key : keys()) {
    CAPTURE(key.path);
    CHECK(seen.insert(key.path).second);
    CHECK_FALSE(key.description.empty());
  }
}

TEST_CASE("what is wrong is named with its place, and the rest stays") {
  Value tree = parse_yaml(
      "hostname: box\n"
      "ssh_authorised_keys: [k]\n"
      "rancher:\n"
      "  debug: perhaps\n"
      "  docker:\n"
      "    bipp: 1\n"
      "    log_opts: {max-size: 1m}\n"
      "  services:\n"
      "    web: {image: x, privileged: [], labels: [a=b]}\n"
      "write_files:\n"
      "  - {path: /a, contents: x}\n"
      "  - nonsense\n",
      "c.yml");
  const auto problems = problems_of(tree);
  REQUIRE(problems.size() == 6);
  CHECK(problems[0] ==
        "c.yml:2:1: unknown key ssh_authorised_keys\n  hint: did you mean ssh_authorized_keys?");
  CHECK(problems[1] == "c.yml:4:3: rancher.debug must be true or false");
  CHECK(problems[2] == "c.yml:6:5: unknown key rancher.docker.bipp\n  hint: did you mean bip?");
  CHECK(problems[3] == "c.yml:9:21: rancher.services.web.privileged must be true or false");
  CHECK(problems[4] ==
        "c.yml:11:16: unknown key write_files[0].contents\n  hint: did you mean content?");
  CHECK(problems[5] == "c.yml:12:5: write_files[1] must be a map");
  CHECK(tree.find("hostname")->text() == "box");
  CHECK_FALSE(tree.find("ssh_authorised_keys"));
  CHECK_FALSE(tree.find_path("rancher.debug"));
  CHECK(tree.find_path("rancher.docker.log_opts.max-size")->text() == "1m");
  CHECK(tree.find_path("rancher.services.web.image")->text() == "x");
  CHECK(tree.find("write_files")->items().size() == 1);
}

TEST_CASE("a document that is no map has no settings") {
  Value list = parse_yaml("[a, b]", "c.yml");
  CHECK(problems_of(list).size() == 1);
  CHECK(list.members().empty());
  Value text = parse_yaml("just words", "c.yml");
  CHECK(problems_of(text).size() == 1);
}

TEST_CASE("lists of commands take texts and lists") {
  Value good = parse_yaml("runcmd:\n- echo a\n- [echo, b]\n", "c");
  CHECK(problems_of(good).empty());
  Value bad = parse_yaml("runcmd:\n- {echo: a}\n", "c");
  CHECK(problems_of(bad).size() == 1);
  CHECK_FALSE(bad.find("runcmd"));
}

TEST_CASE("of a list or map that is wrong in part the rest stays") {
  Value tree = parse_yaml(
      "ssh_authorized_keys:\n"
      "  - ssh-ed25519 A\n"
      "  -\n"
      "  - ssh-ed25519 B\n"
      "runcmd: [touch /a, {echo foo: bar}, [touch, /b]]\n"
      "mounts: [[/dev/sda1, /mnt], {a: b}]\n"
      "rancher:\n"
      "  environment: {A: 1, B: [2]}\n"
      "  services_include: {x: true, y: perhaps}\n"
      "  docker: {environment: [A=1, [B]], insecure_registry: [[r]]}\n",
      "c.yml");
  const auto problems = problems_of(tree);
  REQUIRE(problems.size() == 7);
  // Of nothing at all the parser gives the place of what follows.
  CHECK(problems[0] == "c.yml:4:3: ssh_authorized_keys[1] must be a text");
  CHECK(problems[1] == "c.yml:5:20: runcmd[1] must be a text or a list of texts");
  CHECK(problems[2] == "c.yml:6:29: mounts[1] must be a list of texts");
  CHECK(problems[3] == "c.yml:8:23: rancher.environment.B must be a text");
  CHECK(problems[4] == "c.yml:9:31: rancher.services_include.y must be true or false");
  CHECK(problems[5] == "c.yml:10:31: rancher.docker.environment[1] must be a text");
  CHECK(problems[6] == "c.yml:10:57: rancher.docker.insecure_registry[0] must be a text");
  CHECK(tree.find("ssh_authorized_keys")->as_texts() ==
        std::vector<std::string>{"ssh-ed25519 A", "ssh-ed25519 B"});
  CHECK(tree.find("runcmd")->items().size() == 2);
  CHECK(tree.find("mounts")->items().size() == 1);
  CHECK(tree.find_path("rancher.environment")->members().size() == 1);
  CHECK(tree.find_path("rancher.services_include")->members().size() == 1);
  CHECK(tree.find_path("rancher.docker.environment")->items().size() == 1);
  CHECK_FALSE(tree.find_path("rancher.docker.insecure_registry"));
}

TEST_CASE("keys are found by path") {
  REQUIRE(find_key("rancher.network.interfaces.eth0.dhcp"));
  CHECK(find_key("rancher.network.interfaces.eth0.dhcp")->type == KeyType::boolean);
  CHECK(find_key("rancher.environment.ANY")->path == "rancher.environment");
  CHECK(find_key("rancher.sysctl.net.ipv4.ip_forward")->path == "rancher.sysctl");
  CHECK_FALSE(find_key("rancher.nothing"));
  CHECK_NOTHROW(require_key("rancher.services.web.image"));
  CHECK_THROWS_WITH(require_key("rancher.dokcer.bip"), Catch::Contains("did you mean docker?"));
  CHECK_THROWS_AS(require_key("rancher..bip"), Error);
  CHECK_THROWS_AS(require_key(""), Error);
}

TEST_CASE("each rancher. word of a platform's command line is a key") {
  const std::regex word{"rancher\\.[a-z0-9_.]+"};
  std::size_t found = 0;
  for (const auto& platform : fs::directory_iterator(fs::path{SOURCE_DIR} / "platforms")) {
    for (const auto& line : split(read_file(platform.path()), '\n')) {
      const std::string text = line.substr(0, line.find(" #"));
      for (std::sregex_iterator match{text.begin(), text.end(), word}, end; match != end; ++match) {
        INFO(platform.path() << ": " << match->str());
        CHECK(find_key(match->str()));
        ++found;
      }
    }
  }
  CHECK(found > 20);
}
