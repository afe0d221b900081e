#include "builder/publish/index.h"

#include <catch2/catch.hpp>

#include "runtime/base/digest.h"

using namespace rosbuild;

namespace {

struct Publisher {
  ros::TempDir dir;
  fs::path folder = dir.path() / "out/amd64";
  fs::path root = folder / "release";

  std::vector<Published> publish(const std::string& version, const std::string& layer) {
    ros::Release release{.version = version, .platform = "amd64", .title = "RancherOS"};
    std::map<std::string, fs::path> sources;
    const auto add = [&](const char* role, const std::string& path, const std::string& content) {
      const fs::path file = dir.path() / "made" / ros::sha256(content);
      ros::write_file(file, content);
      sources[path] = file;
      release.files.push_back({role, path, content.size(), ros::sha256(content)});
    };
    add("kernel", version + "/vmlinuz", "kernel");
    add("initrd", version + "/initrd", "initrd " + version);
    add("layer", "layers/" + layer, layer);
    return publish_release(release, sources, folder, "release", dir.path() / "records");
  }
  std::vector<std::string> versions() const {
    std::vector<std::string> found;
    for (const auto& release : ros::parse_releases(ros::read_file(root / "index"), "index"))
      found.push_back(release.version);
    return found;
  }
};

}  // namespace

TEST_CASE("index: versions gather in a folder, the newest last", "[publish]") {
  Publisher publisher;
  const auto files = publisher.publish("1", "base-1");
  REQUIRE(files.size() == 4);
  CHECK(files.back().name == "release/index");
  CHECK(files[0].name == "release/1/vmlinuz");
  publisher.publish("2", "base-2");
  CHECK(publisher.versions() == std::vector<std::string>{"1", "2"});
  CHECK(ros::read_file(publisher.root / "layers/base-1") == "base-1");
  publisher.publish("1", "base-1");
  CHECK(publisher.versions() == std::vector<std::string>{"2", "1"});
}

TEST_CASE("index: what no version needs goes, and a version that lost a file", "[publish]") {
  Publisher publisher;
  publisher.publish("1", "base-1");
  publisher.publish("1", "base-2");
  CHECK_FALSE(fs::exists(publisher.root / "layers/base-1"));
  publisher.publish("2", "base-3");
  fs::remove(publisher.root / "layers/base-2");
  publisher.publish("3", "base-3");
  CHECK(publisher.versions() == std::vector<std::string>{"2", "3"});
  ros::write_file(publisher.root / "index", "nonsense\n");
  publisher.publish("3", "base-3");
  CHECK(publisher.versions() == std::vector<std::string>{"3"});
}
