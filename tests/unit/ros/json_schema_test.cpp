#include "runtime/ros/json_schema.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using nlohmann::json;

TEST_CASE("json schema: every section is closed, and types are those of the table") {
  const json schema = json::parse(ros::json_schema());
  CHECK(schema["$schema"] == "http://json-schema.org/draft-07/schema#");
  CHECK(schema["additionalProperties"] == false);
  const json& members = schema["properties"];
  CHECK(members["hostname"]["type"][0] == "string");
  CHECK(members["mounts"]["items"]["items"]["type"][0] == "string");
  CHECK(members["write_files"]["items"]["properties"].contains("path"));
  CHECK(members["write_files"]["items"]["additionalProperties"] == false);
  const json& rancher = members["rancher"]["properties"];
  CHECK(rancher["debug"]["enum"].size() == 7);
  CHECK(rancher["shutdown_timeout"]["type"][0] == "integer");
  CHECK(rancher["services"]["additionalProperties"]["properties"].contains("image"));
  CHECK(rancher["services"]["additionalProperties"]["additionalProperties"] == false);
  CHECK(rancher["registry_auths"]["additionalProperties"]["properties"].contains("auth"));
  CHECK(members["users"]["anyOf"][0]["items"]["anyOf"][1]["properties"].contains("name"));
}
