#include "builder/publish/release.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "runtime/base/digest.h"

using namespace rosbuild;

namespace {
struct stat stat_of(const fs::path& path) {
  struct stat status = {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status;
}
}  // namespace

TEST_CASE("publish: an untouched output is left alone, a touched one replaced", "[publish]") {
  const ros::TempDir folder;
  ros::write_file(folder.path() / "made", "bytes");
  const auto put = [&] {
    return publish(folder.path() / "made", ros::sha256("bytes"), folder.path() / "out", "a.iso",
                   folder.path() / "records");
  };
  const Published first = put();
  CHECK(first.size == 5);
  const auto inode = stat_of(first.path).st_ino;
  put();
  CHECK(stat_of(first.path).st_ino == inode);
  ros::write_file(first.path, "spoiled");
  put();
  CHECK(ros::read_file(first.path) == "bytes");
}

TEST_CASE("publish: holes stay holes", "[publish]") {
  const ros::TempDir folder;
  const fs::path made = folder.path() / "made";
  ros::write_file(made, "start");
  REQUIRE(truncate(made.c_str(), 64 << 20) == 0);
  const Published out = publish(made, "x", folder.path() / "out", "disk", folder.path() / "r");
  const struct stat status = stat_of(out.path);
  CHECK(status.st_size == 64 << 20);
  CHECK(status.st_blocks * 512 < 1 << 20);
}

TEST_CASE("publish: a failed copy leaves no name behind", "[publish]") {
  const ros::TempDir folder;
  fs::create_directories(folder.path() / "out");
  CHECK_THROWS(
      publish(folder.path() / "absent", "x", folder.path() / "out", "a", folder.path() / "r"));
  CHECK(fs::is_empty(folder.path() / "out"));
}

TEST_CASE("publish: checksums keep what is still there and drop what is gone", "[publish]") {
  const ros::TempDir folder;
  const std::string a(64, 'a'), b(64, 'b'), c(64, 'c');
  ros::write_file(folder.path() / "kept", "");
  ros::write_file(folder.path() / "checksums.txt", a + "  kept\n" + b + "  gone\n");
  ros::write_file(folder.path() / "version.txt", "2.0.0\n");
  write_checksums(folder.path(), "2.0.0", {{"new", folder.path() / "new", 1, c}});
  const std::string version = ros::sha256("2.0.0\n") + "  version.txt\n";
  CHECK(ros::read_file(folder.path() / "checksums.txt") ==
        a + "  kept\n" + c + "  new\n" + version);
}

TEST_CASE("publish: checksums are of one version", "[publish]") {
  const ros::TempDir folder;
  const std::string a(64, 'a'), b(64, 'b'), c(64, 'c');
  for (const char* name : {"old", "release/1.0.0/initrd"})
    ros::write_file(folder.path() / name, "");
  const auto write = [&](const std::string& version, const std::string& name,
                         const std::string& sum) {
    ros::write_file(folder.path() / name, "");
    write_checksums(folder.path(), version, {{name, folder.path() / name, 1, sum}});
  };
  write("1.0.0", "old", a);
  write("1.0.0", "release/1.0.0/initrd", b);
  CHECK(read_checksums(folder.path()).contains("old"));
  CHECK(ros::read_file(folder.path() / "version.txt") == "1.0.0\n");
  write("2.0.0", "new", c);
  const auto list = read_checksums(folder.path());
  CHECK_FALSE(list.contains("old"));
  CHECK(list.at("new") == c);
  CHECK(list.at("release/1.0.0/initrd") == b);
  CHECK(list.at("version.txt") == ros::sha256("2.0.0\n"));
  CHECK(ros::read_file(folder.path() / "version.txt") == "2.0.0\n");
}
