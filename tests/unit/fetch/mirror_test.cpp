#include <catch2/catch.hpp>
#include <cstdlib>

#include "builder/fetch/apt.h"

using namespace rosbuild;

namespace {

struct NoVariable {
  NoVariable() { ::unsetenv("ROSBUILD_MIRROR"); }
  ~NoVariable() { ::unsetenv("ROSBUILD_MIRROR"); }
};

}  // namespace

TEST_CASE("mirror: the option wins, and security is the sibling", "[fetch]") {
  const NoVariable guard;
  ::setenv("ROSBUILD_MIRROR", "http://other.test/debian", 1);
  CHECK(find_mirror("http://m.test/debian/").debian == "http://m.test/debian");
  CHECK(find_mirror("http://m.test/debian/").security == "http://m.test/debian-security");
  CHECK(find_mirror("http://m.test/d https://s.test/x/").security == "https://s.test/x");
  CHECK(find_mirror("").debian == "http://other.test/debian");
  CHECK_THROWS_WITH(find_mirror("ftp://m.test/debian"), Catch::Contains("starts with http"));
}

TEST_CASE("mirror: the host's own apt sources", "[fetch]") {
  const NoVariable guard;
  const ros::TempDir etc;
  SECTION("deb822, foreign repositories and comments beside it") {
    ros::write_file(etc.path() / "sources.list", "# nothing here\n");
    ros::write_file(etc.path() / "sources.list.d/a.sources",
                    "Types: deb\nURIs: http://tools.test/apt\nSuites: x\n");
    ros::write_file(etc.path() / "sources.list.d/debian.sources",
                    "Types: deb deb-src\n# a comment\nURIs: http://m.test/debian/\n"
                    "Suites: bookworm\n bookworm-updates\nComponents: main\n\n"
                    "Types: deb\nURIs: http://s.test/debian-security\nSuites: bookworm-security\n");
    CHECK(find_mirror("", etc.path()).debian == "http://m.test/debian");
    CHECK(find_mirror("", etc.path()).security == "http://s.test/debian-security");
  }
  SECTION("one-line entries with options") {
    ros::write_file(etc.path() / "sources.list",
                    "deb-src http://no.test/debian bookworm main\n"
                    "deb [arch=amd64 signed-by=/k.gpg] http://m.test/debian bookworm main\n");
    CHECK(find_mirror("", etc.path()).debian == "http://m.test/debian");
    CHECK(find_mirror("", etc.path()).security == "http://m.test/debian-security");
  }
  SECTION("a vendor's repository for Debian comes last") {
    ros::write_file(etc.path() / "sources.list.d/a.list",
                    "deb [arch=amd64 signed-by=/etc/apt/keyrings/x.asc] http://x.test/linux/debian "
                    "bookworm stable\n");
    ros::write_file(etc.path() / "sources.list.d/b.sources",
                    "Types: deb\nURIs: http://y.test/debian\nSuites: x\n"
                    "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQIN\n");
    CHECK(find_mirror("", etc.path()).debian == "http://x.test/linux/debian");  // none but these
    const fs::path file = etc.path() / "sources.list.d/debian.sources";
    ros::write_file(file,
                    "Types: deb\nURIs: http://m.test/debian\nSuites: bookworm\n"
                    "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n");
    const Mirror mirror = find_mirror("", etc.path());
    CHECK(mirror.debian == "http://m.test/debian");
    CHECK(mirror.description() == "http://m.test/debian and http://m.test/debian-security, which " +
                                      file.string() + " names");
  }
  SECTION("a list of mirrors in a file") {
    ros::write_file(etc.path() / "mirrors",
                    "http://first.test/debian\nhttp://second.test/debian\n");
    ros::write_file(etc.path() / "sources.list",
                    "deb mirror+file://" + (etc.path() / "mirrors").string() + " bookworm main\n");
    // The path of the list decides nothing; its first line does.
    CHECK(find_mirror("", etc.path()).debian == "http://first.test/debian");
  }
  SECTION("none, or a disabled one") {
    ros::write_file(etc.path() / "sources.list.d/debian.sources",
                    "Enabled: no\nTypes: deb\nURIs: http://m.test/debian\nSuites: bookworm\n");
    CHECK_THROWS_WITH(find_mirror("", etc.path()), Catch::Contains("--mirror URL"));
  }
}

TEST_CASE("mirror: the URL of a package", "[fetch]") {
  const Mirror mirror{"http://m.test/debian", "http://s.test/sec"};
  LockedPackage package{.archive = "debian", .path = "pool/main/b/x.deb"};
  CHECK(mirror.url(package) == "http://m.test/debian/pool/main/b/x.deb");
  package.archive = "debian-security";
  CHECK(mirror.url(package) == "http://s.test/sec/pool/main/b/x.deb");
}
