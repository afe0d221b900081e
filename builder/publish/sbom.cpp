#include "builder/publish/sbom.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <nlohmann/json.hpp>

#include "runtime/base/digest.h"

namespace rosbuild {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kImage = "SPDXRef-image";

// RFC 3986: everything but the unreserved characters.
std::string percent_encoded(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || std::string_view{"-._~"}.find(c) != std::string_view::npos)
      encoded += c;
    else
      encoded += fmt::format("%{:02X}", byte);
  }
  return encoded;
}

// github.com/package-url/purl-spec, type "deb".
std::string package_url(const LockedPackage& package, const std::string& suite) {
  return fmt::format("pkg:deb/debian/{}@{}?arch={}&distro={}", percent_encoded(package.name),
                     percent_encoded(package.version), package.arch, suite);
}

std::string reference(const LockedPackage& package) {
  return "SPDXRef-" + package.sha256.substr(0, 16);
}

// RFC 3339.
std::string utc(std::int64_t epoch) {
  const std::time_t seconds = epoch;
  std::tm parts{};
  char text[32];
  return {text, std::strftime(text, sizeof text, "%FT%TZ", ::gmtime_r(&seconds, &parts))};
}

Json element(const std::string& id, const std::string& name, const std::string& version) {
  return {{"SPDXID", id},
          {"name", name},
          {"versionInfo", version},
          {"downloadLocation", "NOASSERTION"},
          {"filesAnalyzed", false},
          {"licenseConcluded", "NOASSERTION"},
          {"licenseDeclared", "NOASSERTION"},
          {"copyrightText", "NOASSERTION"}};
}

Json relation(const std::string& from, const char* type, const std::string& to) {
  return {{"spdxElementId", from}, {"relationshipType", type}, {"relatedSpdxElement", to}};
}

}  // namespace

std::string to_spdx(const SbomSubject& subject, std::vector<LockedPackage> packages) {
  std::ranges::sort(packages);
  packages.erase(std::unique(packages.begin(), packages.end()), packages.end());

  Json elements{element(kImage, subject.name, subject.version)};
  Json relations{relation("SPDXRef-DOCUMENT", "DESCRIBES", kImage)};
  std::string identity = subject.name + subject.version;
  for (const auto& package : packages) {
    Json one = element(reference(package), package.name, package.version);
    one["supplier"] = "Organization: Debian";
    one["packageFileName"] = package.path;
    one["checksums"] = Json::array({{{"algorithm", "SHA256"}, {"checksumValue", package.sha256}}});
    one["externalRefs"] =
        Json::array({{{"referenceCategory", "PACKAGE-MANAGER"},
                      {"referenceType", "purl"},
                      {"referenceLocator", package_url(package, subject.suite)}}});
    elements.push_back(std::move(one));
    relations.push_back(relation(kImage, "CONTAINS", reference(package)));
    identity += package.sha256;
  }
  const Json document{
      {"spdxVersion", "SPDX-2.3"},
      {"dataLicense", "CC0-1.0"},
      {"SPDXID", "SPDXRef-DOCUMENT"},
      {"name", subject.name + "-" + subject.version},
      {"documentNamespace", "urn:uuid:" + ros::uuid_from(identity)},
      {"creationInfo",
       {{"created", utc(subject.epoch)}, {"creators", {"Tool: rosbuild-" ROSBUILD_VERSION}}}},
      {"packages", elements},
      {"relationships", relations}};
  return document.dump(1) + "\n";
}

}  // namespace rosbuild
