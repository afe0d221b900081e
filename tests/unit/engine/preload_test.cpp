#include "runtime/engine/preload.h"

#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "runtime/base/digest.h"

using namespace ros;
using nlohmann::json;

namespace {

const std::string kA(64, 'a'), kB(64, 'b'), kC(64, 'c');
// printf 'sha256:aa… sha256:bb…' | sha256sum, and the same of that and sha256:cc….
const std::string kAB = "ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c";
const std::string kABC = "c1377126441fb2f5ec2c21ae2a60255331d639e830f0ee1b40a36e52d4c40588";

struct Graph {
  TempDir folder;
  const fs::path root = folder.path() / "system-docker";
  const fs::path overlay2 = root / "overlay2";
  const fs::path layerdb = root / "image/overlay2/layerdb/sha256";
  const fs::path imagedb = root / "image/overlay2/imagedb/content/sha256";
  const fs::path repositories = root / "image/overlay2/repositories.json";

  // A mounted layer, with a file that tells which one it is.
  PreloadedLayer layer(const std::string& name, const std::string& digest) const {
    const fs::path mounted = folder.path() / "layers" / (name + digest[0]);
    write_file(mounted / "which", name + digest[0]);
    return {name, digest, mounted};
  }
  std::string write(const std::vector<PreloadedLayer>& layers,
                    const std::string& tag = "v1") const {
    return write_preloaded_image(root, "rancher/os", tag, layers);
  }
  std::string three() const {
    return write({layer("base", kA), layer("net", kB), layer("ros", kC)});
  }
  json tags() const { return json::parse(read_file(repositories))["Repositories"]; }
};

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator{folder})
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// What everything holds, and which change was its last.
std::map<std::string, std::string> snapshot(const fs::path& folder) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator{folder}) {
    struct stat info = {};
    REQUIRE(::lstat(entry.path().c_str(), &info) == 0);
    std::string content = S_ISREG(info.st_mode)   ? read_file(entry.path())
                          : S_ISLNK(info.st_mode) ? fs::read_symlink(entry.path()).string()
                                                  : "";
    all[entry.path().string()] = std::to_string(info.st_ino) + " " +
                                 std::to_string(info.st_ctim.tv_sec) + "." +
                                 std::to_string(info.st_ctim.tv_nsec) + " " + content;
  }
  return all;
}

}  // namespace

TEST_CASE("preload: the driver's links lead to the mounted layers", "[engine]") {
  const Graph graph;
  graph.three();
  const std::string top = "ros-ros-" + kC.substr(0, 16);
  CHECK(read_file(graph.overlay2 / top / "diff/which") == "rosc");
  CHECK(fs::is_directory(graph.overlay2 / top / "work"));
  CHECK(fs::exists(graph.overlay2 / top / "committed"));
  CHECK(read_file(graph.overlay2 / "l" / read_file(graph.overlay2 / top / "link") / "which") ==
        "rosc");

  // Lower ones from top to bottom, as the driver hands them to overlayfs.
  const std::string lower = read_file(graph.overlay2 / top / "lower");
  const auto colon = lower.find(':');
  REQUIRE(colon != lower.npos);
  CHECK(read_file(graph.overlay2 / lower.substr(0, colon) / "which") == "netb");
  CHECK(read_file(graph.overlay2 / lower.substr(colon + 1) / "which") == "basea");
  CHECK_FALSE(fs::exists(graph.overlay2 / ("ros-base-" + kA.substr(0, 16)) / "lower"));
}

TEST_CASE("preload: chain IDs follow the OCI image specification", "[engine]") {
  const Graph graph;
  graph.three();
  CHECK(names_in(graph.layerdb) == std::vector<std::string>{kA, kABC, kAB});
  CHECK(read_file(graph.layerdb / kABC / "diff") == "sha256:" + kC);
  CHECK(read_file(graph.layerdb / kABC / "parent") == "sha256:" + kAB);
  CHECK(read_file(graph.layerdb / kABC / "cache-id") == "ros-ros-" + kC.substr(0, 16));
  CHECK(read_file(graph.layerdb / kAB / "parent") == "sha256:" + kA);
  CHECK(read_file(graph.layerdb / kA / "diff") == "sha256:" + kA);
  CHECK_FALSE(fs::exists(graph.layerdb / kA / "parent"));
}

TEST_CASE("preload: the image is named by its configuration and has two tags", "[engine]") {
  const Graph graph;
  const std::string image = graph.three();
  REQUIRE(image.starts_with("sha256:"));
  const std::string config = read_file(graph.imagedb / image.substr(7));
  CHECK("sha256:" + sha256(config) == image);
  CHECK(json::parse(config)["rootfs"] ==
        json{{"type", "layers"}, {"diff_ids", {"sha256:" + kA, "sha256:" + kB, "sha256:" + kC}}});
  CHECK(graph.tags() ==
        json{{"rancher/os", {{"rancher/os:v1", image}, {"rancher/os:latest", image}}}});
}

TEST_CASE("preload: tags of others are kept, old ones of ours are not", "[engine]") {
  const Graph graph;
  const json foreign{{"alpine:3", "sha256:1"}, {"alpine@sha256:2", "sha256:1"}};
  write_file(
      graph.repositories,
      json{{"Repositories", {{"alpine", foreign}, {"rancher/os", {{"rancher/os:v0", "sha256:3"}}}}}}
          .dump());
  const std::string image = graph.three();
  CHECK(graph.tags()["alpine"] == foreign);
  CHECK(graph.tags()["rancher/os"] == json{{"rancher/os:v1", image}, {"rancher/os:latest", image}});
}

TEST_CASE("preload: tags that a power failure spoilt are written anew", "[engine]") {
  const Graph graph;
  write_file(graph.repositories,
             GENERATE("", "{\"Repositories\":{\"alp", "[]", "null", "{\"Repositories\":[1]}"));
  const std::string image = graph.three();
  CHECK(graph.tags()["rancher/os"]["rancher/os:v1"] == image);
  CHECK(graph.tags().size() == 1);
}

TEST_CASE("preload: files that a power failure spoilt are written anew", "[engine]") {
  const Graph graph;
  const std::string image = graph.three();
  const std::string config = read_file(graph.imagedb / image.substr(7));
  write_file(graph.imagedb / image.substr(7), "");
  write_file(graph.layerdb / kAB / "cache-id", "");
  fs::remove(graph.overlay2 / ("ros-net-" + kB.substr(0, 16)) / "diff");
  fs::create_directories(graph.overlay2 / ("ros-net-" + kB.substr(0, 16)) / "diff");
  CHECK(graph.three() == image);
  CHECK(read_file(graph.imagedb / image.substr(7)) == config);
  CHECK(read_file(graph.layerdb / kAB / "cache-id") == "ros-net-" + kB.substr(0, 16));
  CHECK(read_file(graph.overlay2 / ("ros-net-" + kB.substr(0, 16)) / "diff/which") == "netb");
}

TEST_CASE("preload: the same layers again change nothing", "[engine]") {
  const Graph graph;
  const std::string image = graph.three();
  const auto before = snapshot(graph.root);
  CHECK(graph.three() == image);
  CHECK(snapshot(graph.root) == before);
}

TEST_CASE("preload: an update leaves nothing of ours and all of others", "[engine]") {
  const Graph graph;
  graph.three();
  // Somebody pulled an image.
  const std::string foreign(64, 'f');
  write_file(graph.overlay2 / foreign / "diff/file", "pulled");
  fs::create_symlink("../" + foreign + "/diff", graph.overlay2 / "l/FOREIGN");
  write_file(graph.layerdb / foreign / "cache-id", foreign);
  write_file(graph.imagedb / foreign, "{\"config\":null,\"rootfs\":{}}");
  write_file(graph.imagedb / "spoilt", "not JSON");

  const std::string image = graph.write({graph.layer("base", kB)}, "v2");
  const std::string base = "ros-base-" + kB.substr(0, 16);
  CHECK(names_in(graph.overlay2) == std::vector<std::string>{foreign, "l", base});
  CHECK(names_in(graph.overlay2 / "l") ==
        std::vector<std::string>{read_file(graph.overlay2 / base / "link"), "FOREIGN"});
  CHECK(names_in(graph.layerdb) == std::vector<std::string>{kB, foreign});
  CHECK(names_in(graph.imagedb) == std::vector<std::string>{image.substr(7), foreign, "spoilt"});
  CHECK(read_file(graph.overlay2 / "l/FOREIGN/file") == "pulled");
  // Only the link went, not what it leads to.
  CHECK(read_file(graph.folder.path() / "layers/rosc/which") == "rosc");
}

TEST_CASE("preload: a layer that an update keeps loses its old parents", "[engine]") {
  const Graph graph;
  graph.three();
  SECTION("under another base") {
    graph.write({graph.layer("base", kC), graph.layer("net", kB)}, "v2");
    CHECK(names_in(graph.layerdb).size() == 2);
    CHECK(fs::exists(graph.layerdb / kC));
    const auto lower = read_file(graph.overlay2 / ("ros-net-" + kB.substr(0, 16)) / "lower");
    CHECK(read_file(graph.overlay2 / lower / "which") == "basec");
  }
  SECTION("as the lowest") {
    graph.write({graph.layer("net", kB)}, "v2");
    CHECK(names_in(graph.layerdb) == std::vector<std::string>{kB});
    CHECK_FALSE(fs::exists(graph.overlay2 / ("ros-net-" + kB.substr(0, 16)) / "lower"));
  }
}
