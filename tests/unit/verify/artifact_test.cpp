// Broken artifacts are made out of bytes here, sound ones by qemu-img: what our own
// writers make is verified in tests/images.
#include "builder/verify/artifact.h"

#include <catch2/catch.hpp>

#include "builder/os/process.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"

using namespace rosbuild;
using Faults = std::vector<std::string>;

namespace {

struct Folder : ros::TempDir {
  Verdict verify(const std::string& bytes) const {
    ros::write_file(path() / "file", bytes);
    return verify_artifact(path() / "file");
  }
  // An empty disk by qemu-img, or nothing when it is not installed.
  std::string by_qemu(const std::string& format, const std::string& size) const {
    if (!find_program("qemu-img")) return {};
    const fs::path file = path() / "by-qemu";
    const auto exit =
        try_run({.argv = {"sh", "-c",
                          "qemu-img create -q -f " + format + " '" + file.string() + "' " + size}});
    INFO(exit.output);
    REQUIRE(exit.status == 0);
    return ros::read_file(file);
  }
};

}  // namespace

TEST_CASE("verify: images of another writer are told by their bytes", "[verify]") {
  const Folder folder;
  std::string bytes = folder.by_qemu("qcow2 -o compat=0.10", "64M");
  if (bytes.empty()) {
    WARN("SKIPPED: qemu-img is not installed");
    return;
  }
  CHECK(folder.verify(bytes).what == "qcow2 of 64 MiB");
  CHECK(folder.verify(bytes).faults.empty());
  CHECK(folder.verify(folder.by_qemu("qcow2 -o compat=1.1", "64M")).faults ==
        Faults{"version is not 2, which the oldest importers read"});
  bytes = folder.by_qemu("vhdx", "64M");
  CHECK(folder.verify(bytes).what == "VHDX of 64 MiB");
  CHECK(folder.verify(bytes).faults.empty());
  bytes = folder.by_qemu("vpc -o subformat=dynamic,force_size=on", "64M");
  CHECK(folder.verify(bytes).what == "dynamic VHD of 64 MiB");
  CHECK(folder.verify(bytes).faults.empty());
  bytes[bytes.size() - 512 + 70] ^= 1;
  CHECK(folder.verify(bytes).faults ==
        Faults{"first and last footer differ", "the footer's checksum is wrong"});
  CHECK(folder.verify(folder.by_qemu("vmdk", "64M")).faults ==
        Faults{"it is not streamOptimized", "the footer is missing"});
}

TEST_CASE("verify: what is cut short, misaligned or no artifact is said to be", "[verify]") {
  const Folder folder;
  CHECK(folder.verify("hello").faults ==
        Faults{"neither a disk, nor a medium, nor a part to boot"});
  CHECK(folder.verify("").what == "unknown");
  std::string disk((1 << 20) + 512, '\0');
  disk.replace(510, 2, "\x55\xaa");
  CHECK(folder.verify(disk).faults == Faults{"1049088 bytes are not whole MiB", "no GPT"});
  CHECK(folder.verify("QFI\xfb").faults.size() == 2);  // the version, and the size
  CHECK(folder.verify("vhdxfile").faults.size() >= 4);
  CHECK(folder.verify("\x1f\x8b nothing").faults == Faults{"there is no tar archive in it"});
  CHECK(folder.verify("PK\3\4").faults ==
        Faults{"the end is missing", "it holds more than a disk"});
  CHECK_THROWS_AS(verify_artifact(folder.path() / "absent"), ros::Error);
}

TEST_CASE("verify: what an iPXE script starts lies beside it", "[verify]") {
  const Folder folder;
  ros::write_file(folder.path() / "vmlinuz", "");
  const std::string script = "#!ipxe\nkernel vmlinuz initrd=initrd quiet\ninitrd initrd\nboot\n";
  CHECK(folder.verify(script).what == "iPXE script");
  CHECK(folder.verify(script).faults == Faults{"initrd is not beside it"});
  ros::write_file(folder.path() / "initrd", "");
  CHECK(folder.verify(script).faults.empty());
}
