// resolve() against a small signed archive made here, with the real apt.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "builder/fetch/apt.h"
#include "builder/os/process.h"
#include "runtime/base/digest.h"
#include "runtime/base/text.h"
#include "tests/support/http_server.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

std::string stanza(const std::string& name, const std::string& depends,
                   const std::string& extra = "") {
  return fmt::format(
      "Package: {0}\nVersion: 1.0\nArchitecture: amd64\nMaintainer: x <x@y>\n{1}{2}"
      "Filename: pool/main/{0}.deb\nSize: 10\nSHA256: {3}\nDescription: x\n\n",
      name, depends.empty() ? "" : "Depends: " + depends + "\n", extra, ros::sha256(name));
}

struct Archive {
  ros::TempDir folder;
  fs::path home = folder.path() / "gnupg";
  fs::path root = folder.path() / "debian";

  Archive() {
    fs::create_directories(home);
    fs::permissions(home, fs::owner_all);
    gpg({"--passphrase", "", "--quick-gen-key", "test", "rsa2048", "sign", "never"});
    gpg({"--output", (folder.path() / "key.gpg").string(), "--export"});
    publish(root, "trixie",
            stanza("libc", "") + stanza("shell", "libc, awk") +
                stanza("mawk", "libc", "Provides: awk\n") + stanza("engine", "shell, perl") +
                stanza("perl", "libc") + stanza("tool", "libc"));
    publish(folder.path() / "debian-security", "trixie-security", stanza("fixed", "libc"));
  }
  ~Archive() { try_run({.argv = {"gpgconf", "--homedir", home.string(), "--kill", "all"}}); }

  void gpg(std::vector<std::string> arguments) {
    std::vector<std::string> argv{"gpg", "--homedir", home.string(), "--batch", "--yes"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    run({.argv = argv});
  }

  void publish(const fs::path& where, const std::string& suite, const std::string& packages) {
    const fs::path dist = where / "dists" / suite;
    ros::write_file(dist / "main/binary-amd64/Packages", packages);
    ros::write_file(dist / "Release",
                    fmt::format("Suite: {0}\nCodename: {0}\nArchitectures: amd64\n"
                                "Components: main\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n"
                                " {1} {2} main/binary-amd64/Packages\n",
                                suite, ros::sha256(packages), packages.size()));
    gpg({"--output", (dist / "InRelease").string(), "--clearsign", (dist / "Release").string()});
  }

  LockRequest request(std::vector<LockSection> sections) {
    const fs::path scratch = folder.path() / "scratch";
    fs::remove_all(scratch);
    fs::create_directories(scratch);
    return {.arch = "amd64",
            .suites = {"trixie", "trixie-security"},
            .components = {"main"},
            .sections = std::move(sections),
            .mirror = find_mirror("file://" + root.string()),
            .keyring = folder.path() / "key.gpg",
            .scratch = scratch};
  }
};

std::string names(const Lock& lock, const std::string& section) {
  std::vector<std::string> found;
  for (const auto& package : lock.sections.at(section)) found.push_back(package.name);
  return ros::join(found, " ");
}

bool can_run() {
  if (find_program("gpg") && find_program("apt-get")) return true;
  WARN("SKIPPED: gpg or apt-get is missing");
  return false;
}

std::string failure(const LockRequest& request) {
  try {
    resolve(request);
  } catch (const ros::Error& error) {
    return error.what();
  }
  return "no failure";
}

}  // namespace

TEST_CASE("resolve: closures, layers below, dropped packages, security", "[fetch]") {
  if (!can_run()) return;
  Archive archive;
  const Lock lock = resolve(archive.request(
      {{.name = "base", .packages = {{"shell", {}}}, .without = {"maw*"}},
       {.name = "engine", .packages = {{"engine", {}}, {"fixed", {}}}, .below = {"base"}},
       {.name = "more", .packages = {{"mawk", {}}, {"shell", {}}}, .below = {"base"}},
       {.name = "one", .packages = {{"engine", {}}}, .only = {"engine"}},
       {.name = "tools", .packages = {{"tool", {}}}}}));
  CHECK(names(lock, "base") == "libc shell");
  CHECK(names(lock, "engine") == "engine fixed perl");
  CHECK(names(lock, "more") == "mawk");  // dropped below, asked for here
  CHECK(names(lock, "one") == "engine");
  CHECK(names(lock, "tools") == "libc tool");
  const auto& fixed = lock.sections.at("engine")[1];
  CHECK(fixed.archive == "debian-security");
  CHECK(fixed.path == "pool/main/fixed.deb");
  CHECK(fixed.sha256 == ros::sha256("fixed"));
  CHECK(fixed.size == 10);
}

TEST_CASE("resolve: by the proxy of the host's apt", "[fetch]") {
  if (!can_run()) return;
  Archive archive;
  ros::test::HttpServer proxy;
  for (const char* name : {"debian/dists/trixie", "debian-security/dists/trixie-security"})
    for (const char* file : {"InRelease", "main/binary-amd64/Packages"}) {
      const std::string path = fmt::format("{}/{}", name, file);
      proxy.put("http://mirror.test/" + path, ros::read_file(archive.folder.path() / path));
    }
  auto request = archive.request({{.name = "base", .packages = {{"shell", {}}}}});
  request.mirror = {.debian = "http://mirror.test/debian",
                    .security = "http://mirror.test/debian-security",
                    .proxies = {{{"acquire::http::proxy", proxy.url()}}}};
  CHECK(names(resolve(request), "base") == "libc mawk shell");
}

TEST_CASE("resolve: every unknown package at once, with place and suggestion", "[fetch]") {
  if (!can_run()) return;
  Archive archive;
  const std::string text = failure(
      archive.request({{.name = "base", .packages = {{"shel", {"base.yaml", 3, 5}}, {"libc", {}}}},
                       {.name = "tools", .packages = {{"quite-unknown", {"dist.yaml", 9, 5}}}}}));
  CHECK_THAT(text, Contains("base.yaml:3:5: unknown package shel") &&
                       Contains("did you mean shell?") &&
                       Contains("dist.yaml:9:5: unknown package quite-unknown"));
}

TEST_CASE("resolve: an archive with a foreign signature or a changed index is refused", "[fetch]") {
  if (!can_run()) return;
  Archive archive;
  const auto request = archive.request({{.name = "base", .packages = {{"shell", {}}}}});
  SECTION("the index was changed after signing") {
    ros::write_file(archive.root / "dists/trixie/main/binary-amd64/Packages", stanza("shell", ""));
    CHECK_THAT(failure(request), Contains("while fetching the package indices"));
  }
  SECTION("the signature is somebody else's") {
    fs::remove(request.keyring);
    fs::copy_file("/usr/share/keyrings/debian-archive-keyring.gpg", request.keyring);
    CHECK_THAT(failure(request), Contains("while fetching the package indices"));
  }
}
