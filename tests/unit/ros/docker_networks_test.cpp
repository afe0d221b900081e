#include "runtime/ros/docker_networks.h"

#include <catch2/catch.hpp>

namespace {

using Records = std::map<std::string, std::string>;

std::string value(const std::string& json) { return std::string(8, '\1') + json; }

Records defaults() {
  const std::string prefix = "docker/network/v1.0/";
  return {{prefix + "network/1/", value(R"({"name":"bridge","networkType":"bridge"})")},
          {prefix + "network/2/", value(R"({"name":"host"})")},
          {prefix + "network/3/", value(R"({"name":"none"})")},
          {prefix + "bridge/1/", value(R"({"BridgeName":"docker0","DefaultBridge":true})")},
          {prefix + "endpoint_count/1/", value(R"({"Count":1})")},
          {prefix + "endpoint/1/8/", value(R"({"name":"keeper"})")},
          {prefix + "bridge-endpoint/8/", value("{}")}};
}

bool with(const std::string& key, const std::string& text) {
  auto records = defaults();
  records[key] = text;
  return ros::only_default_networks(records);
}

}  // namespace

TEST_CASE("docker networks: those that every Docker makes are not worth remembering", "[unit]") {
  CHECK(ros::only_default_networks({}));
  CHECK(ros::only_default_networks(defaults()));
}

TEST_CASE("docker networks: anything else is remembered", "[unit]") {
  const std::string prefix = "docker/network/v1.0/";
  CHECK_FALSE(with(prefix + "network/4/", value(R"({"name":"mine"})")));
  CHECK_FALSE(with(prefix + "network/4/", value(R"({"name":["bridge"]})")));
  CHECK_FALSE(with(prefix + "network/4/", value("{")));
  CHECK_FALSE(with(prefix + "network/4/", "short"));
  CHECK_FALSE(with(prefix + "bridge/4/", value(R"({"BridgeName":"br-4","DefaultBridge":false})")));
  CHECK_FALSE(with(prefix + "macvlan/4/", value("{}")));
  CHECK_FALSE(with("docker/network/v2.0/network/1/", value(R"({"name":"bridge"})")));
}

TEST_CASE("docker networks: a store that is not understood stays", "[unit]") {
  ros::TempDir dir;
  ros::forget_default_networks(dir.path());  // there is none
  const auto store = dir.path() / "network/files/local-kv.db";
  ros::write_file(store, "something else");
  ros::forget_default_networks(dir.path());
  CHECK(ros::read_file(store) == "something else");
}
