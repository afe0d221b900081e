#include "builder/verify/inspect.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "builder/os/process.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"

using namespace rosbuild;

namespace {

// libguestfs boots the host's own kernel.
bool can_inspect() {
  for (const char* program : {"supermin", "qemu-system-x86_64", "sfdisk", "mke2fs", "xorriso"})
    if (!find_program(program)) {
      WARN("SKIPPED: no " << program);
      return false;
    }
  for (const auto& entry : fs::directory_iterator("/boot"))
    if (entry.path().filename().string().starts_with("vmlinuz-")) return true;
  WARN("SKIPPED: no kernel in /boot");
  return false;
}

// Paths and digests, "PATH DIGEST" each.
std::vector<std::string> files(const FoundFilesystem& filesystem) {
  std::vector<std::string> result;
  for (const FoundFile& file : filesystem.files) result.push_back(file.path + " " + file.sha256);
  return result;
}

// sub/hello and a link to it.
void fill(const fs::path& folder) {
  ros::write_file(folder / "sub/hello", "hello\n");
  fs::create_symlink("sub/hello", folder / "link");
}

}  // namespace

TEST_CASE("inspect: a disk's table, file systems and files", "[verify]") {
  if (!can_inspect()) return;
  const ros::TempDir folder;
  const fs::path disk = folder.path() / "disk", part = folder.path() / "part";
  fill(folder.path() / "files");
  ros::write_file(disk, "");
  ros::write_file(part, "");
  fs::resize_file(disk, 16 << 20);
  fs::resize_file(part, 8 << 20);
  run({.argv = {"sfdisk", "-q", disk.string()},
       .input = "label: gpt\n"
                "size=1M, type=21686148-6449-6E6F-744E-656564454649\n"
                "size=8M\n"});
  run({.argv = {"mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-L", "DATA", "-U",
                "12345678-1234-1234-1234-123456789abc", "-d", (folder.path() / "files").string(),
                part.string()}});
  run({.argv = {"dd", "if=" + part.string(), "of=" + disk.string(), "bs=1M", "seek=2",
                "conv=notrunc", "status=none"}});
  const std::string before = ros::sha256_file(disk);

  const Inspection found = inspect(disk, "raw");
  CHECK(found.table == "gpt");
  REQUIRE(found.partitions.size() == 2);
  CHECK(found.partitions[0].type == "21686148-6449-6E6F-744E-656564454649");
  CHECK(found.partitions[1].number == 2);
  CHECK(found.partitions[1].offset == 2 << 20);
  CHECK(found.partitions[1].size == 8 << 20);
  REQUIRE(found.filesystems.size() == 2);
  CHECK(found.filesystems[0].type == "unknown");
  const FoundFilesystem& data = found.filesystems[1];
  CHECK(data.device == "/dev/sda2");
  CHECK(data.type == "ext4");
  CHECK(data.label == "DATA");
  CHECK(data.uuid == "12345678-1234-1234-1234-123456789abc");
  CHECK(files(data) == std::vector<std::string>{"/link ", "/lost+found ", "/sub ",
                                                "/sub/hello " + ros::sha256("hello\n")});
  CHECK(ros::sha256_file(disk) == before);
}

TEST_CASE("inspect: an ISO needs no table", "[verify]") {
  if (!can_inspect()) return;
  const ros::TempDir folder;
  const fs::path iso = folder.path() / "a.iso";
  fill(folder.path() / "files");
  run({.argv = {"xorriso", "-as", "mkisofs", "-quiet", "-V", "LABEL", "-R", "-o", iso.string(),
                (folder.path() / "files").string()}});
  const Inspection found = inspect(iso, "raw");
  CHECK(found.partitions.empty());
  REQUIRE(found.filesystems.size() == 1);
  CHECK(found.filesystems[0].device == "/dev/sda");
  CHECK(found.filesystems[0].type == "iso9660");
  CHECK(found.filesystems[0].label == "LABEL");
  CHECK(files(found.filesystems[0]) ==
        std::vector<std::string>{"/link ", "/sub ", "/sub/hello " + ros::sha256("hello\n")});
}

TEST_CASE("inspect: what cannot be read is an error that names it", "[verify]") {
  const ros::TempDir folder;
  CHECK_THROWS_WITH(inspect(folder.path() / "absent", "raw"), Catch::Contains("absent"));
  const fs::path broken = folder.path() / "broken.vmdk";
  ros::write_file(broken, "KDMV and nothing more");
  try {
    inspect(broken, "vmdk");
    FAIL("must throw");
  } catch (const ros::Error& error) {
    CHECK_THAT(error.what(), Catch::Contains("broken.vmdk: libguestfs: "));
    CHECK(error.kind() == ros::Error::Kind::tool);
  }
}
