// Files of Compose, catalogues, and what services_include makes of them.
#include "runtime/ros/compose.h"

#include <catch2/catch.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/file.h"
#include "runtime/ros/catalogue.h"
#include "runtime/ros/services.h"
#include "tests/support/config.h"
#include "tests/support/http_server.h"

using namespace ros;
using Catch::Contains;
using test::config_of;

namespace {

constexpr const char* kWeb = "web: {image: site/web, labels: {io.rancher.os.scope: system}}\n";

// A configuration whose one catalogue is at `place`, and these lines below rancher.
Config with_catalogue(const std::string& place, const std::string& lines) {
  return config_of("rancher:\n  repositories: {test: {url: '" + place + "'}}\n" + lines);
}

void write_catalogue(const fs::path& folder, const std::string& index, const std::string& web) {
  write_file(folder / "index.yml", index);
  write_file(folder / "w/web.yml", web);
}

}  // namespace

TEST_CASE("compose: the map of services is the file, or lies below services") {
  CHECK(parse_compose(kWeb, "f").members().size() == 1);
  const Value newer = parse_compose(
      "version: '2.4'\r\nx-mine: 1\r\nservices:\r\n  a: {image: x, network_mode: host}\r\n"
      "  b: {build: ., depends_on: [a]}\r\n",
      "f");
  REQUIRE(newer.members().size() == 2);
  CHECK(newer.find_path("b.build")->text() == ".");
}

TEST_CASE("compose: every mistake is named with its place") {
  try {
    parse_compose(
        "web:\n  imagee: x\n  privileged: maybe\n../up: {image: x}\nempty:\n"
        "made:\n  build: {dockerfile: D, target: t}\n",
        "dir/c.yml");
    FAIL("it was accepted");
  } catch (const Error& error) {
    CHECK(error.exit_status() == 2);
    const std::string text = error.what();
    CHECK_THAT(
        text, Contains("dir/c.yml:2:3: unknown key web.imagee") && Contains("did you mean image?"));
    CHECK_THAT(text, Contains("dir/c.yml:3:3: web.privileged must be true or false"));
    CHECK_THAT(text, Contains("dir/c.yml:4:") && Contains("../up is no name for a service"));
    CHECK_THAT(text, Contains("service empty must be a map"));
    CHECK_THAT(text, Contains("not this target") && Contains("build names no folder"));
  }
  CHECK_THROWS_WITH(parse_compose("<html>no</html>", "u"), Contains("u:1:1: a map of services"));
  CHECK_THROWS_WITH(parse_compose("", "u"), Contains("a map of services"));
  CHECK_THROWS_WITH(parse_compose("services: {}", "u"), Contains("a map of services"));
  CHECK_THROWS_WITH(parse_compose("services: {a: {image: x}}\nvolumes: {}\n", "u"),
                    Contains("u:2:1: unknown key volumes beside services"));
}

TEST_CASE("catalogue: an index is a list of names, or names with digests") {
  const std::string digest = sha256("x");
  CHECK(parse_index("services: [a, b-2]\nconsoles: [c]\nengines: [d]\n", "i") ==
        Index{{"a", ""}, {"b-2", ""}});
  CHECK(parse_index("services: {a: " + digest + ", b: }\n", "i") ==
        Index{{"a", digest}, {"b", ""}});
  CHECK_THROWS_WITH(parse_index("services: [../../etc/passwd]", "i"), Contains("i:1:12: "));
  CHECK_THROWS_WITH(parse_index("services: {a: abc}", "i"), Contains("i:1:12: a: the SHA-256"));
  CHECK_THROWS_WITH(parse_index("services: {a: [1]}", "i"), Contains("the SHA-256"));
  CHECK_THROWS_WITH(parse_index("services: [[a]]", "i"), Contains("no name of a service"));
  CHECK_THROWS_WITH(parse_index("services: a", "i"), Contains("a list or a map"));
  CHECK_THROWS_WITH(parse_index("<html/>", "i"), Contains("this is no index"));
  CHECK_THROWS_WITH(parse_index("services: []\nmalware: x\n", "i"),
                    Contains("unknown key malware"));
}

TEST_CASE("catalogue: what services_include names is laid under the configuration") {
  const TempDir dir;
  const TempDir cache;
  write_catalogue(dir.path() / "repo", "services: [web]", kWeb);
  const fs::path file = dir.path() / "mine.yml";
  write_file(file, "mine: {image: x}\n");
  Config config = with_catalogue((dir.path() / "repo").string() + "/",
                                 "  services_include: {web: true, '" + file.string() +
                                     "': true, other: false}\n"
                                     "  services: {web: {restart: always}, own: {command: x}}\n");
  std::vector<std::string> problems;
  CHECK(include_services(config, Reach::here, problems, cache.path()).empty());
  CHECK(problems.empty());
  const auto services = services_of(config, problems);
  REQUIRE(services.size() == 3);
  const auto web = std::ranges::find(services, "web", &Service::name);
  REQUIRE(web != services.end());
  CHECK(web->spec.image == "site/web");
  CHECK(web->restart);  // the configuration's own word
  CHECK(std::ranges::count(services, "mine", &Service::name) == 1);
}

TEST_CASE("catalogue: one that is foreign or tampered with changes nothing") {
  const TempDir dir;
  const TempDir cache;
  const auto problem_of = [&](const std::string& index, const std::string& definition) {
    write_catalogue(dir.path(), index, definition);
    Config config = with_catalogue(dir.path().string(),
                                   "  services_include: {web: true}\n"
                                   "  services: {console: {command: [ros, console-init]}}\n");
    const std::string before = to_yaml(*config.find("rancher.services"));
    std::vector<std::string> problems;
    CHECK(include_services(config, Reach::missing, problems, cache.path()).empty());
    CHECK(to_yaml(*config.find("rancher.services")) == before);
    REQUIRE(problems.size() == 1);
    return problems[0];
  };
  CHECK_THAT(problem_of("services: {web: " + sha256("another") + "}", kWeb),
             Contains("its SHA-256 is not the one in the index"));
  CHECK_THAT(problem_of("services: [web]", std::string{kWeb} + "console: {image: evil}\n"),
             Contains("w/web.yml:2:1: web would replace service console of this box"));
  CHECK_THAT(problem_of("services: [web]", "other: {image: x}\n"), Contains("does not define web"));
  CHECK_THAT(problem_of("services: [web]", "web: {imag: x}\n"), Contains("w/web.yml:1:7: unknown"));
  CHECK_THAT(problem_of("services: [wab]", kWeb), Contains("did you mean wab?"));
  CHECK_THAT(problem_of("garbage", kWeb), Contains("catalogue test: ") && Contains("no index"));
  write_catalogue(dir.path(), "services: {web: " + sha256(kWeb) + "}", kWeb);
  Config whole = with_catalogue(dir.path().string(), "  services_include: {web: true}\n");
  std::vector<std::string> problems;
  include_services(whole, Reach::here, problems, cache.path());
  CHECK(problems.empty());
  CHECK(whole.find("rancher.services.web"));
}

TEST_CASE("catalogue: what a server gave is kept and used without it") {
  const TempDir cache;
  test::HttpServer server;
  server.put("/v1/index.yml", "services: [web]");
  server.put("/v1/w/web.yml", kWeb);
  server.put("/mine.yml", "mine: {image: x}\n");
  const std::string lines =
      "  services_include: {web: true, '" + server.url() + "/mine.yml': true}\n";
  const auto included = [&](Reach reach, std::size_t later) {
    Config config = with_catalogue(server.url() + "/v1", lines);
    std::vector<std::string> problems;
    CHECK(include_services(config, reach, problems, cache.path()).size() == later);
    CHECK((reach == Reach::here || problems.size() == later));
    return services_of(config, problems).size();
  };
  CHECK(included(Reach::here, 2) == 0);
  CHECK(server.requests().empty());
  CHECK(included(Reach::missing, 0) == 2);
  const auto asked = server.requests().size();
  CHECK(included(Reach::here, 0) == 2);
  CHECK(included(Reach::missing, 0) == 2);
  CHECK(server.requests().size() == asked);

  // A service that is newer than the index that was kept.
  server.put("/v1/index.yml", "services: [web, wob]");
  server.put("/v1/w/wob.yml", "wob: {image: x}\n");
  const Config config = with_catalogue(server.url() + "/v1", "");
  CHECK(Catalogue{config, cache.path()}.define("wob", Reach::missing).find("wob"));
  std::vector<std::string> problems;
  CHECK(Catalogue{config, cache.path()}.names(problems) == std::vector<std::string>{"web", "wob"});

  // Nothing that came later and was refused takes its place.
  server.put("/v1/w/web.yml", "<html>login</html>");
  CHECK_THROWS_WITH((Catalogue{config, cache.path()}.define("web", Reach::anew)),
                    Contains("a map of services is expected"));
  CHECK(included(Reach::here, 0) == 2);
  server.clear();
  Catalogue{config, cache.path()}.update({"web"}, problems);
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0], Contains("catalogue test: ") && Contains("index.yml cannot be fetched"));
  CHECK(Catalogue{config, cache.path()}.names(problems).size() == 2);
  CHECK_THROWS_WITH((Catalogue{config, cache.path()}.define("web", Reach::anew)),
                    Contains("index.yml cannot be fetched: the server answered 404"));
}

TEST_CASE("catalogue: a definition that its publisher has changed is fetched again") {
  const TempDir cache;
  test::HttpServer server;
  const std::string newer = "web: {image: site/web:2, labels: {io.rancher.os.scope: system}}\n";
  const auto publish = [&](const std::string& definition, const std::string& digest) {
    server.put("/index.yml", "services: {web: " + digest + "}");
    server.put("/w/web.yml", definition);
  };
  const std::string lines = "  services_include: {web: true}\n";
  std::vector<std::string> problems;
  const auto image = [&](Reach reach) {
    problems.clear();
    Config config = with_catalogue(server.url(), lines);
    const auto later = include_services(config, reach, problems, cache.path());
    return later.empty() ? config.text("rancher.services.web.image") : "for later";
  };
  const Config config = with_catalogue(server.url(), lines);
  const auto update = [&] { Catalogue{config, cache.path()}.update({"web"}, problems); };
  publish(kWeb, sha256(kWeb));
  CHECK(image(Reach::missing) == "site/web");

  // The index came, the definition did not: it is as if it had never been fetched.
  publish(kWeb, sha256(newer));
  update();
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0], Contains("its SHA-256 is not the one in the index"));
  CHECK(image(Reach::here) == "for later");
  CHECK(problems.empty());
  CHECK(image(Reach::missing).empty());  // still the old one there: refused
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0], Contains("its SHA-256 is not the one in the index"));
  publish(newer, sha256(newer));
  CHECK(image(Reach::missing) == "site/web:2");
  CHECK(image(Reach::here) == "site/web:2");

  // Asking anew means the definitions of what is switched on, too, with a digest or without.
  publish(kWeb, sha256(kWeb));
  update();
  CHECK(image(Reach::here) == "site/web");
  publish(newer, "");
  update();
  CHECK(image(Reach::here) == "site/web:2");
  CHECK(problems.empty());
}

TEST_CASE("catalogue: a server that is down is for later, a wrong place is not") {
  const TempDir cache;
  std::string url;
  {
    const test::Listener gone;
    url = gone.url;
  }
  std::vector<std::string> problems;
  Config config = with_catalogue(url, "  services_include: {web: true}\n");
  CHECK(include_services(config, Reach::missing, problems, cache.path()) ==
        std::vector<std::string>{"web"});
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0], Contains(url + "/index.yml cannot be fetched: "));
  for (const char* place : {"ftp://192.0.2.1/x", "relative/folder", "/no/such/folder"}) {
    problems.clear();
    config = with_catalogue(place, "  services_include: {web: true}\n");
    CHECK(include_services(config, Reach::missing, problems, cache.path()).empty());
    REQUIRE(problems.size() == 1);
    CHECK_THAT(problems[0], Contains(place));
  }
}

TEST_CASE("catalogue: the one in the image is valid, and all of it is in its index") {
  const fs::path folder = fs::path{SOURCE_DIR} / "recipes/files/runtime/usr/share/ros/services";
  const TempDir cache;
  const Config config = with_catalogue(folder.string(), "");
  const Catalogue catalogue{config, cache.path()};
  std::vector<std::string> problems;
  const auto names = catalogue.names(problems);
  CHECK(problems.empty());
  CHECK(names.size() >= 4);
  std::size_t files = 0;
  for (fs::recursive_directory_iterator it{folder}, end; it != end; ++it)
    files += it->path().extension() == ".yml" && it->path().filename() != "index.yml" ? 1 : 0;
  CHECK(files == names.size());
  for (const auto& name : names) {
    Config one = with_catalogue(folder.string(), "  services_include: {" + name + ": true}\n");
    include_services(one, Reach::here, problems, cache.path());
    const auto services = services_of(one, problems);
    CHECK(problems.empty());
    REQUIRE(services.size() == 1);
    CHECK(services[0].name == name);
    CHECK(services[0].spec.image != kSystemImage);
  }
}

TEST_CASE("services: labels, groups of volumes and builds") {
  std::vector<std::string> problems;
  const auto services = services_of(config_of(R"(
rancher:
  environment: {ECS_A: 1, ECS_B: 2, OTHER: 3, http_proxy: "http://p", BASE: here}
  services:
    group: {command: "true", labels: {io.rancher.os.scope: system, io.rancher.os.ondemand: "true"}, volumes_from: [inner]}
    inner: {command: "true", labels: {io.rancher.os.scope: system, io.rancher.os.ondemand: "true"}}
    unused: {command: "true", labels: {io.rancher.os.ondemand: "true"}, volumes_from: [unused]}
    made:
      build: {context: sub, args: [BASE=$BASE]}
      volumes_from: ["group:ro"]
      restart: on-failure:5
      depends_on: [late]
      environment: ["ECS_*"]
      labels: {io.rancher.os.scope: system, io.rancher.os.reloadconfig: "true", cron.schedule: "@hourly"}
    late: {image: x, labels: {io.rancher.os.scope: system, io.rancher.os.detach: "false"}}
    wrong: {image: x, labels: {cron.schedule: "61 * * * *"}}
    a/b: {image: x}
)"),
                                    problems);
  std::vector<std::string> order;
  for (const auto& service : services) order.push_back(service.name);
  CHECK(order == std::vector<std::string>{"inner", "group", "late", "made", "wrong"});
  const Service& made = services[3];
  CHECK(made.spec.image == "ros/made");
  CHECK(made.build.context == "sub");  // beside c.yml, which has no folder
  CHECK(made.build.arguments == std::vector<std::pair<std::string, std::string>>{
                                    {"BASE", "here"}, {"http_proxy", "http://p"}});
  CHECK(made.restart_if_failed);
  CHECK(made.spec.most_restarts == 5);
  CHECK_FALSE(made.restart);
  CHECK(made.reload_config);
  CHECK(made.schedule == "@hourly");
  CHECK(made.spec.environment ==
        std::vector<std::pair<std::string, std::string>>{{"ECS_A", "1"}, {"ECS_B", "2"}});
  CHECK(services[2].wait_for_end);
  REQUIRE(problems.size() == 2);
  CHECK_THAT(problems[0], Contains("service wrong: ") && Contains("61 is no minute from 0 to 59"));
  CHECK_THAT(problems[1], Contains("a/b is no name for a service"));
}
