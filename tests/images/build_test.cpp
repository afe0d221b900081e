// The builder as a whole: the same bytes whatever surrounds it, and nothing
// half-made whatever befalls it.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>

#include "builder/fetch/lock.h"
#include "builder/graph/cache.h"
#include "builder/os/process.h"
#include "runtime/base/digest.h"
#include "runtime/base/text.h"
#include "tests/support/child.h"
#include "tests/support/guest.h"
#include "tests/support/paths.h"

using namespace proof;
using Catch::Contains;

namespace {

const std::string kPlatform = "amd64";

std::vector<std::string> build_command(const fs::path& output,
                                       const std::vector<std::string>& more = {},
                                       const std::string& platform = kPlatform) {
  std::vector<std::string> argv{rosbuild_program().string(),
                                "image",
                                "--platform",
                                platform,
                                "--compress",
                                "fast",
                                "--output",
                                output.string()};
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

std::string cache_variable(const fs::path& cache) { return "XDG_CACHE_HOME=" + cache.string(); }

// Name -> digest of what has an artifact's name; whatever else is there fails the test.
std::map<std::string, std::string> artifacts_in(const fs::path& output) {
  std::map<std::string, std::string> result;
  const fs::path folder = output / kPlatform;
  if (!fs::exists(folder)) return result;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(".")) continue;  // temporary; checked below
    if (fs::is_regular_file(entry.path()))
      result[entry.path().lexically_relative(folder).string()] = ros::sha256_file(entry.path());
  }
  return result;
}

// What a partly finished build has published must be what the finished one has.
void check_no_partial(const fs::path& output) {
  const auto complete = artifacts_in(output_folder());
  for (const auto& [name, digest] : artifacts_in(output)) {
    if (name == "checksums.txt") continue;  // lists only what is there
    INFO(name);
    REQUIRE(complete.count(name) == 1);
    CHECK(complete.at(name) == digest);
  }
}

// Inode and time of modification of every file below a folder.
std::map<std::string, std::pair<ino_t, std::time_t>> stamps(const fs::path& folder) {
  std::map<std::string, std::pair<ino_t, std::time_t>> result;
  for (const auto& entry : fs::directory_iterator(folder)) {
    struct stat status = {};
    REQUIRE(::lstat(entry.path().c_str(), &status) == 0);
    result[entry.path().string()] = {status.st_ino, status.st_mtime};
  }
  return result;
}

// Entries of the cache by inode: one that is made again has another, one that is used only a new
// time of modification, which is that of its last use.
std::map<std::string, ino_t> inodes(const fs::path& folder) {
  std::map<std::string, ino_t> result;
  for (const auto& [path, stamp] : stamps(folder)) result[path] = stamp.first;
  return result;
}

void wait_for_text(Child& child, const std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + seconds{600};
  std::string output = child.output();
  while (output.find(text) == std::string::npos) {
    const std::size_t seen = output.size();
    output = child.wait_output(seen, deadline);
    if (output.size() == seen) FAIL("rosbuild never said '" << text << "':\n" << output);
  }
}

rosbuild::Lock committed_lock() {
  const fs::path file = fs::path{SOURCE_DIR} / "recipes/lock/amd64.lock";
  return rosbuild::parse_lock(ros::read_file(file), file.string());
}

}  // namespace

TEST_CASE("build: an unchanged platform does no work", "[images]") {
  artifact(kPlatform, "rancheros.iso");
  const fs::path entries = rosbuild::Cache::default_root() / "entries";
  const auto cache_before = inodes(entries);
  const auto output_before = stamps(output_folder() / kPlatform);
  const auto exit = rosbuild::try_run(
      {.argv = build_command(output_folder()),
       .env = {{"XDG_CACHE_HOME", rosbuild::Cache::default_root().parent_path().string()}}});
  INFO(exit.output);
  REQUIRE(exit.status == 0);
  CHECK(inodes(entries) == cache_before);
  CHECK(stamps(output_folder() / kPlatform) == output_before);
}

TEST_CASE("build: killed, interrupted, then finished elsewhere gives the same bytes", "[images]") {
  ros::TempDir dir;
  const fs::path output = dir.path() / "out";
  const std::vector<std::string> environment{cache_variable(dir.path() / "cache")};

  {
    INFO("kill -9 while layers are being made");
    Child builder{build_command(output), environment};
    wait_for_text(builder, "layer ");
    builder.signal(SIGKILL);
    CHECK(builder.wait(seconds{30}) == 128 + SIGKILL);
    check_no_partial(output);
  }
  {
    INFO("Ctrl-C");
    Child builder{build_command(output), environment};
    wait_for_text(builder, "layer ");
    builder.signal(SIGINT);
    CHECK(builder.wait(seconds{60}) == 130);
    CHECK_THAT(builder.output(), Contains("rosbuild: stopped"));
    check_no_partial(output);
  }

  // Another umask, time zone, folder and number of jobs, and what the two left behind.
  const auto command = ros::quote(build_command(output, {"--jobs", "1", "--recipes", SOURCE_DIR}));
  const auto exit = rosbuild::try_run({.argv = {"sh", "-c", "umask 077; exec " + command},
                                       .env = {{"XDG_CACHE_HOME", (dir.path() / "cache").string()},
                                               {"TZ", "Pacific/Chatham"},
                                               {"SOURCE_DATE_EPOCH", "12345"},
                                               {"HOME", dir.path().string()}},
                                       .cwd = dir.path()});
  INFO(exit.output);
  REQUIRE(exit.status == 0);
  CHECK(artifacts_in(output) == artifacts_in(output_folder()));
  CHECK(fs::is_empty(dir.path() / "cache/rosbuild/staging"));

  // Disks have identifiers, directories and times that no medium has: one of ext4, one of FAT.
  const std::map<std::string, std::string> disks{
      {"vmware", "rancheros.vmdk"}, {"raspberry-pi64", "rancheros-raspberry-pi64.zip"}};
  for (const auto& [platform, name] : disks) {
    const auto again =
        rosbuild::try_run({.argv = build_command(output, {"--only", name}, platform),
                           .env = {{"XDG_CACHE_HOME", (dir.path() / "cache").string()}}});
    INFO(again.output);
    REQUIRE(again.status == 0);
    CHECK(ros::sha256_file(output / platform / name) == ros::sha256_file(artifact(platform, name)));
  }
}

TEST_CASE("build: a kernel that is packed no longer makes another release", "[images]") {
  // A Raspberry Pi's firmware reads no squashfs: what boots it as well has the kernel as it is.
  ros::TempDir dir;
  const fs::path root = dir.path() / "root";
  fs::create_directories(root / "platforms");
  for (const char* part : {"recipes", "kernel-configs"})
    fs::create_symlink(fs::path{SOURCE_DIR} / part, root / part);
  for (const char* name : {"platforms/amd64.yaml", "platforms/arm64.yaml"})
    fs::copy_file(fs::path{SOURCE_DIR} / name, root / name);
  const auto index = [&](const std::string& more) {
    ros::write_file(root / "platforms/board.yaml",
                    "name: board\nextends: arm64\ndescription: a board\nartifacts:\n"
                    "  - {name: release, format: release}\n" +
                        more);
    const auto command = build_command(dir.path() / "out",
                                       {"--only", "release", "--recipes", root.string()}, "board");
    const auto exit = rosbuild::try_run(
        {.argv = command,
         .env = {{"XDG_CACHE_HOME", rosbuild::Cache::default_root().parent_path().string()}}});
    INFO(exit.output);
    REQUIRE(exit.status == 0);
    return ros::read_file(dir.path() / "out/board/release/index");
  };
  CHECK_THAT(index(""), Contains("/kernel.squashfs "));
  CHECK_THAT(index("  - {name: board.zip, format: pi, size: 1GiB}\n"),
             Contains("/vmlinuz ") && !Contains("/kernel.squashfs "));
}

TEST_CASE("build: a full disk is said to be full", "[images]") {
  if (::geteuid() != 0) {
    fmt::print("SKIPPED: mounting a small tmpfs needs root\n");
    return;
  }
  ros::TempDir dir;
  const fs::path small = dir.path() / "small";
  fs::create_directories(small);
  // In a mount namespace of its own, so that nothing stays mounted.
  const auto run_full = [&](const std::string& command) {
    return rosbuild::try_run(
        {.argv = {"unshare", "-m", "sh", "-c",
                  fmt::format("mount -t tmpfs -o size=24m small {0} && {1}; status=$?; "
                              "mkdir -p {2} && cp -a {0}/. {2}; exit $status",
                              ros::quote(small.string()), command,
                              ros::quote((dir.path() / "left").string()))}});
  };
  SECTION("below the output") {
    const auto exit = run_full(ros::quote(build_command(small)));
    INFO(exit.output);
    CHECK(exit.status == 1);
    CHECK_THAT(exit.output, Contains("No space left on device"));
    CHECK_THAT(exit.output, Contains(small.string()));
    check_no_partial(dir.path() / "left");
  }
  SECTION("below the cache") {
    const auto exit = run_full("XDG_CACHE_HOME=" + ros::quote(small.string()) + " " +
                               ros::quote(build_command(dir.path() / "out")));
    INFO(exit.output);
    CHECK(exit.status == 1);
    CHECK_THAT(exit.output, Contains("disk full"));
    CHECK(artifacts_in(dir.path() / "out").empty());
  }
}

TEST_CASE("build: a bad mirror is named, with what to do", "[images]") {
  ros::TempDir dir;
  const fs::path output = dir.path() / "out";
  const fs::path pool = dir.path() / "mirror";
  std::string mirror = "file://" + (pool / "debian").string();
  std::string expected;
  SECTION("every file has other bytes than were locked") {
    for (const auto& [section, packages] : committed_lock().sections)
      for (const auto& package : packages) {
        const fs::path file = pool / package.archive / package.path;
        if (fs::exists(file)) continue;
        ros::write_file(file, "");
        fs::resize_file(file, package.size);
      }
    expected = "digest differs";
  }
  SECTION("superseded versions are gone") {
    fs::create_directories(pool / "debian");
    fs::create_directories(pool / "debian-security");
    expected = "rosbuild lock --update";
  }
  SECTION("it does not answer") {
    mirror = "http://127.0.0.1:" + std::to_string(free_port());
    expected = "127.0.0.1";
  }
  const auto exit =
      rosbuild::try_run({.argv = build_command(output, {"--mirror", mirror}),
                         .env = {{"XDG_CACHE_HOME", (dir.path() / "cache").string()}}});
  INFO(exit.output);
  CHECK(exit.status == 1);
  CHECK_THAT(exit.output, Contains(expected));
  CHECK_THAT(exit.output, Contains(".deb"));
  CHECK(artifacts_in(output).empty());
  // Nothing that the next run would take for a package.
  CHECK(fs::is_empty(dir.path() / "cache/rosbuild/entries"));
}

TEST_CASE("install: rosbuild finds its recipes where it was installed", "[images]") {
  ros::TempDir dir;
  check_output({"cmake", "--install", BINARY_DIR, "--prefix", (dir.path() / "usr").string()});
  const auto exit = rosbuild::try_run(
      {.argv = {(dir.path() / "usr/bin/rosbuild").string(), "list"}, .cwd = dir.path()});
  INFO(exit.output);
  CHECK(exit.status == 0);
  CHECK_THAT(exit.output, Contains("vmware") && Contains("amd64"));
}
