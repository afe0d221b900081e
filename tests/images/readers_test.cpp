// Second opinions: programs that share no code with our writers read the
// artifacts.
#include <fcntl.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "builder/verify/inspect.h"
#include "runtime/base/digest.h"
#include "runtime/base/fd.h"
#include "runtime/base/text.h"
#include "tests/support/disk.h"

using namespace proof;
using Catch::Contains;

namespace {

std::vector<fs::path> files_below(const fs::path &folder) {
  std::vector<fs::path> result;
  for (const auto &entry : fs::recursive_directory_iterator(folder))
    if (fs::is_regular_file(entry.path())) result.push_back(entry.path());
  return result;
}

// The layers on an ISO, extracted by xorriso.
std::vector<fs::path> layers_of(const fs::path &iso, const fs::path &folder) {
  check_output({"xorriso", "-osirrox", "on", "-indev", iso.string(), "-extract", "/layers",
                (folder / "layers").string()});
  return files_below(folder / "layers");
}

const rosbuild::FoundFilesystem &filesystem(const rosbuild::Inspection &found,
                                            const std::string &device) {
  for (const auto &candidate : found.filesystems)
    if (candidate.device == device) return candidate;
  FAIL("libguestfs sees no file system on " << device);
  return found.filesystems[0];
}

// File names of FAT are compared without regard to case.
bool has_file(const rosbuild::FoundFilesystem &in, const std::string &path) {
  return std::ranges::any_of(
      in.files, [&](const auto &file) { return strcasecmp(file.path.c_str(), path.c_str()) == 0; });
}

// Kernel, initrd and layers on a boot medium: the kernel is the one published
// beside it.
void check_medium(const rosbuild::FoundFilesystem &medium, const std::string &platform,
                  std::size_t expected_layers) {
  const std::string folder = "/" + release();
  CHECK(has_file(medium, folder + "/initrd"));
  std::size_t layers = 0;
  for (const auto &file : medium.files) {
    if (file.path == folder + "/vmlinuz")
      CHECK(file.sha256 == ros::sha256_file(artifact(platform, "vmlinuz")));
    if (file.path.starts_with("/layers/")) ++layers;
  }
  CHECK(has_file(medium, folder + "/vmlinuz"));
  CHECK(layers == expected_layers);
}

std::uint64_t little_endian(const std::string &bytes, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + offset,
              size);  // tests run on little-endian hosts
  return value;
}

}  // namespace

TEST_CASE("vmdk: qemu-img, sfdisk, fsck.vfat and e2fsck find nothing wrong", "[images]") {
  ros::TempDir dir;
  const fs::path vmdk = artifact("vmware", "rancheros.vmdk");
  CHECK_THAT(check_output({"qemu-img", "check", "-f", "vmdk", vmdk.string()}),
             Contains("No errors"));
  CHECK_THAT(check_output({"qemu-img", "info", "-f", "vmdk", vmdk.string()}),
             Contains("streamOptimized"));

  const fs::path raw = raw_copy(vmdk, "vmdk", dir.path());
  CHECK_THAT(check_output({"sfdisk", "--verify", raw.string()}), Contains("No errors detected"));
  const auto all = partitions(raw);
  REQUIRE(all.size() == 4);
  CHECK(all[0].type == "21686148-6449-6E6F-744E-656564454649");  // BIOS boot
  CHECK(all[1].type == "C12A7328-F81F-11D2-BA4B-00A0C93EC93B");  // EFI system
  CHECK(all[2].name == "RANCHER_BOOT");
  CHECK(all[3].name == "RANCHER_STATE");

  check_output({"fsck.vfat", "-n", extract(raw, all[1], dir.path()).string()});
  for (std::size_t i : {2U, 3U}) {
    const std::string filesystem = ext4_name(raw, all[i]);
    check_output({"e2fsck", "-fn", filesystem});
    CHECK_THAT(check_output({"dumpe2fs", "-h", filesystem}),
               Contains(all[i].name));  // the label
  }
}

TEST_CASE("vmdk: the header, markers and footer are what ESXi imports", "[images]") {
  const fs::path vmdk = artifact("vmware", "rancheros.vmdk");
  const auto fd = ros::open_file(vmdk.string(), O_RDONLY);
  const auto size = fs::file_size(vmdk);
  REQUIRE(size % 512 == 0);
  // VMware's "Virtual Disk Format 5.0": SparseExtentHeader, all little-endian.
  const auto check_header = [](const std::string &header) {
    CHECK(header.substr(0, 4) == "KDMV");
    CHECK(little_endian(header, 4, 4) == 3);                    // version
    CHECK((little_endian(header, 8, 4) & 0x30001) == 0x30001);  // newlines, compressed, markers
    CHECK(little_endian(header, 12, 8) == (8ULL << 30) / 512);  // capacity
    CHECK(little_endian(header, 20, 8) == 128);                 // grain size, 64 KiB
    CHECK(little_endian(header, 44, 4) == 512);                 // entries of a grain table
    CHECK(header.substr(73, 4) == "\n \r\n");                   // newline check
    CHECK(little_endian(header, 77, 2) == 1);                   // deflate
  };
  const std::string header = ros::read_at(fd.get(), 0, 512);
  check_header(header);
  CHECK(little_endian(header, 56, 8) == ~0ULL);  // the grain directory is where the footer says

  // The end: footer marker, footer, end-of-stream marker, a sector each.
  const std::string end = ros::read_at(fd.get(), size - 3 * 512, 3 * 512);
  CHECK(little_endian(end, 0, 8) == 1);
  CHECK(little_endian(end, 12, 4) == 3);  // footer marker
  check_header(end.substr(512, 512));
  CHECK(little_endian(end.substr(512), 56, 8) < size / 512);
  CHECK(end.substr(1024) == std::string(512, '\0'));

  const std::string descriptor = ros::read_at(fd.get(), 512, little_endian(header, 36, 8) * 512);
  CHECK_THAT(descriptor, Contains("createType=\"streamOptimized\""));
  CHECK_THAT(descriptor, Contains("ddb.adapterType"));
  CHECK_THAT(descriptor, Contains("ddb.virtualHWVersion"));
}

TEST_CASE("vmdk: libguestfs finds partitions, file systems and files", "[images]") {
  const auto found = rosbuild::inspect(artifact("vmware", "rancheros.vmdk"), "vmdk");
  CHECK(found.table == "gpt");
  REQUIRE(found.partitions.size() == 4);
  const auto &esp = filesystem(found, "/dev/sda2");
  CHECK(esp.type == "vfat");
  CHECK(has_file(esp, "/EFI/BOOT/BOOTX64.EFI"));
  const auto &boot = filesystem(found, "/dev/sda3");
  CHECK(boot.type == "ext4");
  CHECK(boot.label == "RANCHER_BOOT");
  CHECK(has_file(boot, "/grub/grub.cfg"));
  check_medium(boot, "vmware", 6);
  const auto &state = filesystem(found, "/dev/sda4");
  CHECK(state.type == "ext4");
  CHECK(state.label == "RANCHER_STATE");
}

TEST_CASE("iso: libguestfs reads it", "[images]") {
  for (const std::string platform : {"amd64", "vmware"}) {
    const auto found = rosbuild::inspect(artifact(platform, "rancheros.iso"), "raw");
    const auto iso =
        std::ranges::find(found.filesystems, "iso9660", &rosbuild::FoundFilesystem::type);
    REQUIRE(iso != found.filesystems.end());
    CHECK(iso->label == "RANCHEROS");
    check_medium(*iso, platform, platform == "amd64" ? 5 : 6);
  }
}

TEST_CASE("iso: xorriso sees a hybrid that boots BIOS and UEFI", "[images]") {
  for (const auto &[platform, name] :
       std::vector<std::pair<std::string, std::string>>{{"amd64", "rancheros.iso"},
                                                        {"vmware", "rancheros.iso"},
                                                        {"vmware", "rancheros-autoformat.iso"}}) {
    INFO(platform << " " << name);
    const std::string report =
        check_output({"xorriso", "-indev", artifact(platform, name).string(), "-report_el_torito",
                      "plain", "-report_system_area", "plain"});
    CHECK_THAT(report, Contains("Volume id    : 'RANCHEROS'"));
    CHECK_THAT(report, Contains("BIOS") && Contains("UEFI"));
    CHECK_THAT(report, Contains("System area summary: MBR"));
    CHECK_THAT(report, Contains("GPT"));
  }
}

TEST_CASE("layers: unsquashfs lists them, owners and licences are right", "[images]") {
  ros::TempDir dir;
  const auto layers = layers_of(artifact("amd64", "rancheros.iso"), dir.path());
  REQUIRE(layers.size() == 5);
  // Path -> "MODE UID/GID", the upper layers' entries last.
  std::map<std::string, std::string> entries;
  for (const auto &layer : layers)
    for (const auto &line :
         ros::split(check_output({"unsquashfs", "-lln", layer.string()}), '\n')) {
      const auto root = line.find("squashfs-root/");
      if (root == std::string::npos) continue;
      const auto fields = ros::words(line);
      const std::string path = line.substr(root + 13);
      entries[path.substr(0, path.find(" -> "))] = fields[0] + " " + fields[1];
    }

  for (const char *file : {"/usr/bin/bash", "/usr/sbin/dockerd", "/usr/bin/containerd",
                           "/usr/bin/docker", "/usr/bin/ros", "/usr/share/ros/os-config.yml",
                           "/etc/ld.so.cache", "/etc/ssl/certs/ca-certificates.crt"}) {
    INFO(file);
    CHECK(entries.count(file) == 1);
  }
  CHECK(entries["/usr/bin/sudo"] == "-rwsr-xr-x 0/0");
  CHECK(entries["/home/rancher"] == "drwxr-xr-x 1100/1100");
  CHECK(entries["/etc/shadow"].starts_with("-rw-r-----"));
  CHECK(entries["/usr/bin"] == "drwxr-xr-x 0/0");

  std::size_t licences = 0;
  for (const auto &[path, entry] : entries)
    if (path.starts_with("/usr/share/doc/") && path.ends_with("/copyright")) ++licences;
  CHECK(licences > 50);
}

TEST_CASE("rootfs: tar reads it and finds the whole system", "[images]") {
  const auto lines = ros::split(check_output({"tar", "--numeric-owner", "-tzvf",
                                              artifact("amd64", "rootfs.tar.gz").string()}),
                                '\n');
  const auto has = [&](const std::string &mode_and_owner, const std::string &path) {
    return std::ranges::any_of(lines, [&](const std::string &line) {
      return line.starts_with(mode_and_owner) && line.ends_with(path);
    });
  };
  CHECK(has("-rwxr-xr-x 0/0", "usr/sbin/dockerd"));
  CHECK(has("-rwxr-xr-x 0/0", "usr/bin/ros"));
  CHECK(has("-rwsr-xr-x 0/0", "usr/bin/sudo"));
  CHECK(has("drwxr-xr-x 1100/1100", "home/rancher/"));
}

// What a package leaves behind is its licence: so each that is in the system is in the list.
TEST_CASE("sbom: names every package whose licence is in the root", "[images]") {
  const auto document =
      nlohmann::json::parse(ros::read_file(artifact("amd64", "rancheros.spdx.json")));
  std::set<std::string> named;
  for (const auto &package : document["packages"]) named.insert(package["name"]);
  CHECK(named.contains("shim-signed"));
  const std::string folder = "usr/share/doc/";
  std::size_t seen = 0;
  for (const auto &path :
       ros::split(check_output({"tar", "-tzf", artifact("amd64", "rootfs.tar.gz").string()}), '\n'))
    if (path.starts_with(folder) && path.ends_with("/copyright")) {
      ++seen;
      const auto name = path.substr(folder.size(), path.find('/', folder.size()) - folder.size());
      CHECK_THAT(name,
                 Catch::Predicate<std::string>([&](const auto &n) { return named.contains(n); },
                                               "is named in the bill of materials"));
    }
  CHECK(seen > 50);
}

TEST_CASE("checksums: sha256sum agrees, and nothing is missing from the list", "[images]") {
  for (const char *platform : {"amd64", "vmware", "hyperv", "azure"}) {
    const fs::path folder = artifact(platform, "checksums.txt").parent_path();
    check_output(
        {"sh", "-c",
         "cd " + ros::quote(folder.string()) + " && sha256sum --strict --quiet -c checksums.txt"});
    const std::string list = ros::read_file(folder / "checksums.txt");
    for (const auto &file : files_below(folder)) {
      const std::string name = file.lexically_relative(folder).string();
      if (name != "checksums.txt") CHECK_THAT(list, Contains("  " + name + "\n"));
    }
  }
}
