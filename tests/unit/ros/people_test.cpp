// What people see: the boot's timeline, completion, images that are laid ready.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/ros/completion.h"
#include "runtime/ros/preload.h"
#include "runtime/ros/timeline.h"

using namespace ros;
using Catch::Contains;

using Words = std::vector<std::string>;

TEST_CASE("timeline: stages are read in order, what is no stage is left out") {
  const auto stages = parse_timeline(
      "1.5 2.25 root is the layers\n0.000 1.500 kernel\nnonsense\n3 2 backwards\n-1 2 early\n"
      "nan 1 x\n1 2\n1 2 \n");
  CHECK(stages == std::vector<Stage>{{0, 1.5, "kernel"}, {1.5, 2.25, "root is the layers"}});
  CHECK(parse_timeline("").empty());
}

TEST_CASE("timeline: as table, picture and JSON") {
  const std::vector<Stage> stages{{0, 2, "kernel"}, {2, 4, "a <b> & c"}};
  CHECK(timeline_text(stages) ==
        "kernel        0.00    2.00 s  ####################\n"
        "a <b> & c     2.00    2.00 s                      "
        "####################\n");
  const std::string svg = timeline_svg(stages);
  CHECK_THAT(svg, Catch::StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\"") &&
                      Catch::EndsWith("</svg>\n") && Contains("a &lt;b&gt; &amp; c") &&
                      Contains("<title>kernel: 0.00 to 2.00 s</title>"));
  const auto json = nlohmann::json::parse(timeline_json(stages));
  REQUIRE(json.size() == 2);
  CHECK(json[1] == nlohmann::json({{"name", "a <b> & c"}, {"begin", 2.0}, {"end", 4.0}}));
  CHECK(timeline_svg({}) != "");
}

TEST_CASE("completion: verbs, their options, services and the keys of the configuration") {
  const auto of = [](std::string_view line) {
    return completions(line, [] { return Words{"console", "ntp"}; });
  };
  CHECK(of("ros con") == Words{"config", "console"});
  CHECK(of("ros console ") == Words{"enable", "list", "switch"});
  CHECK(of("ros console switch --n") == Words{"--no-pull"});
  CHECK(of("ros config get rancher.ssh.d") == Words{"rancher.ssh.daemon"});
  CHECK(of("ros c get rancher.ssh.d") == Words{"rancher.ssh.daemon"});
  CHECK(of("ros config set rancher.ssh.daemon r").empty());
  CHECK(of("ros os a") == Words{"append"});
  CHECK(of("ros service logs --t") == Words{"--tail"});
  CHECK(of("ros s restart -t 3 n") == Words{"ntp"});
  CHECK(of("ros service list n").empty());
  CHECK(of("ros logs -f con") == Words{"containerd", "console"});
  CHECK(of("ros install -d /dev/sda --c") == Words{"--cloud-config"});
  CHECK(of("ros nonsense ").empty());
  CHECK(of("").empty());
  CHECK_FALSE(of("ros").empty());
}

TEST_CASE("preload: archives are loaded once, and again when they have changed") {
  const TempDir folder;
  CHECK(archives_to_load(folder.path() / "absent").empty());
  for (const char* name : {"b.tar", "a.tar.gz", ".part"}) write_file(folder.path() / name, "x");
  fs::create_directory(folder.path() / "folder");
  CHECK(archives_to_load(folder.path()) ==
        std::vector<fs::path>{folder.path() / "a.tar.gz", folder.path() / "b.tar"});
  write_file(folder.path() / "b.tar.done", "");
  CHECK(archives_to_load(folder.path()) == std::vector<fs::path>{folder.path() / "a.tar.gz"});
  fs::last_write_time(folder.path() / "b.tar", fs::last_write_time(folder.path() / "b.tar") + 60);
  CHECK(archives_to_load(folder.path()).size() == 2);
}
