#include "builder/publish/sbom.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace rosbuild;
using Json = nlohmann::json;

namespace {

LockedPackage package(const std::string& name, const std::string& version, char digit) {
  return {.name = name,
          .version = version,
          .arch = "amd64",
          .archive = "debian",
          .path = "pool/main/" + name + ".deb",
          .size = 1,
          .sha256 = std::string(64, digit)};
}

const SbomSubject kSubject{"rancheros-amd64", "2.0.0", "trixie", 1700000000};

}  // namespace

TEST_CASE("sbom: each package once, with its digest and its package URL", "[publish]") {
  const auto cxx = package("libstdc++6", "1:14.2.0-19+b1~x", 'a');
  const auto bash = package("bash", "5.2", 'b');
  const Json document = Json::parse(to_spdx(kSubject, {cxx, bash, cxx}));
  CHECK(document["spdxVersion"] == "SPDX-2.3");
  CHECK(document["name"] == "rancheros-amd64-2.0.0");
  CHECK(document["creationInfo"]["created"] == "2023-11-14T22:13:20Z");

  const Json& packages = document["packages"];
  REQUIRE(packages.size() == 3);
  CHECK(packages[0]["name"] == "rancheros-amd64");
  CHECK(packages[1]["name"] == "bash");
  CHECK(packages[2]["versionInfo"] == "1:14.2.0-19+b1~x");
  CHECK(packages[2]["checksums"] ==
        Json::array({{{"algorithm", "SHA256"}, {"checksumValue", std::string(64, 'a')}}}));
  CHECK(packages[2]["externalRefs"][0]["referenceLocator"] ==
        "pkg:deb/debian/libstdc%2B%2B6@1%3A14.2.0-19%2Bb1~x?arch=amd64&distro=trixie");

  REQUIRE(document["relationships"].size() == 3);
  CHECK(document["relationships"][0]["relatedSpdxElement"] == packages[0]["SPDXID"]);
  for (const std::size_t i : {1U, 2U}) {
    CHECK(document["relationships"][i]["spdxElementId"] == packages[0]["SPDXID"]);
    CHECK(document["relationships"][i]["relatedSpdxElement"] == packages[i]["SPDXID"]);
  }
}

TEST_CASE("sbom: the same whatever the order, another for other packages", "[publish]") {
  const auto one = package("a", "1", 'a');
  const auto two = package("b", "1", 'b');
  CHECK(to_spdx(kSubject, {one, two}) == to_spdx(kSubject, {two, one}));
  const auto name_of = [](const std::string& text) {
    return Json::parse(text)["documentNamespace"];
  };
  CHECK(name_of(to_spdx(kSubject, {one, two})) != name_of(to_spdx(kSubject, {one})));
}
