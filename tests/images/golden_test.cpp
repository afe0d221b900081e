// What is on disks and media and in layers, beside the golden files of tests/golden: a change of
// recipes or of a package shows there as a change of names, modes and owners.
#include "tests/support/golden.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <regex>
#include <set>

#include "runtime/base/text.h"
#include "tests/support/disk.h"

using namespace proof;

namespace {

// Without what each build names anew: digests, and the versions of kernel and shared libraries.
std::string plain(std::string line) {
  static const std::vector<std::pair<std::regex, std::string>> changes{
      {std::regex{"-[0-9a-f]{16}\\."}, "-DIGEST."},
      {std::regex{"/modules/[^/ ]+"}, "/modules/KERNEL"},
      {std::regex{"\\.so((\\.[0-9]+)+)"}, ".so.N"},
      {std::regex{"-[0-9]+(\\.[0-9]+)+\\.so"}, "-N.so"}};
  for (const auto& [pattern, text] : changes) line = std::regex_replace(line, pattern, text);
  return line;
}

std::string sorted(std::vector<std::string> lines) {
  for (auto& line : lines) line = plain(line);
  std::ranges::sort(lines);
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  return ros::join(lines, "\n") + "\n";
}

std::vector<std::string> files_on_iso(const fs::path& iso) {
  std::vector<std::string> files;
  for (const auto& line : ros::split(
           check_output({"xorriso", "-indev", iso.string(), "-find", "/", "-type", "f"}), '\n'))
    if (line.starts_with("'/")) files.push_back(line.substr(1, line.size() - 2));
  REQUIRE(files.size() > 10);
  return files;
}

// "MODE UID/GID PATH", " -> TARGET" behind a link.
std::vector<std::string> files_of_layer(const fs::path& layer) {
  std::vector<std::string> files;
  for (const auto& line : ros::split(check_output({"unsquashfs", "-lln", layer.string()}), '\n')) {
    const auto root = line.find("squashfs-root/");
    if (root == std::string::npos) continue;
    const auto fields = ros::words(line);
    const std::string path = line.substr(root + 13);
    if (path.starts_with("/usr/share/zoneinfo/")) continue;  // a thousand cities
    files.push_back(fmt::format("{} {} {}", fields[0], fields[1], path));
  }
  REQUIRE(files.size() > 2);
  return files;
}

}  // namespace

TEST_CASE("golden: partition tables", "[images]") {
  std::string text;
  for (const auto& [platform, file, format] :
       {std::tuple{"arm64", "rancheros.img", "qcow2"},
        std::tuple{"openstack", "rancheros-openstack.img", "qcow2"},
        std::tuple{"raspberry-pi64", "rancheros-raspberry-pi64.zip", "zip"},
        std::tuple{"vmware", "rancheros.vmdk", "vmdk"}}) {
    ros::TempDir dir;
    const fs::path raw = raw_copy(artifact(platform, file), format, dir.path());
    text += fmt::format("{}/{}: {} MiB\n", platform, file, fs::file_size(raw) >> 20);
    for (const auto& part : partitions(raw))
      text += fmt::format("  {:<14}{:<36}  at {:>4} MiB, {:>5} MiB\n", part.name, part.type,
                          part.offset >> 20, part.size >> 20);
  }
  check_golden("partitions", text);
}

TEST_CASE("golden: files of the ISO, the ESP, the boot partition and the release", "[images]") {
  ros::TempDir dir;
  std::string text;
  for (const std::string platform : {"amd64", "arm64"})
    text += platform + "/rancheros.iso\n" +
            sorted(files_on_iso(artifact(platform, "rancheros.iso"))) + "\n";

  const fs::path raw =
      raw_copy(artifact("openstack", "rancheros-openstack.img"), "qcow2", dir.path());
  const auto files_on_fat = [&](const Partition& fat, const fs::path& disk) {
    const std::string image = extract(disk, fat, dir.path()).string();
    return sorted(ros::split(check_output({"mdir", "-/", "-b", "-i", image}), '\n'));
  };
  text += "ESP\n" + files_on_fat(partitions(raw)[1], raw);
  const std::string boot = ext4_name(raw, partition(raw, "RANCHER_BOOT"));
  std::vector<std::string> files;
  const std::vector<std::string> folders{"", "/grub", "/layers", "/loader", "/" + release()};
  for (const std::string& folder : folders)
    for (const auto& line :
         ros::split(check_output({"debugfs", "-R", "ls -p " + folder + "/", boot}), '\n')) {
      const auto fields = ros::split(line, '/');  // /INODE/MODE/UID/GID/NAME/SIZE/
      if (fields.size() < 6 || fields[5] == "." || fields[5] == "..") continue;
      files.push_back(
          fmt::format("{} {}/{} {}/{}", fields[2], fields[3], fields[4], folder, fields[5]));
    }
  text += "\nRANCHER_BOOT\n" + sorted(files);
  files.clear();
  const fs::path folder = artifact("amd64", "release");
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (fs::is_regular_file(entry.path()))
      files.push_back(entry.path().lexically_relative(folder).string());
  text += "\nrelease\n" + sorted(files);
  fs::remove(raw);
  const fs::path card =
      raw_copy(artifact("raspberry-pi64", "rancheros-raspberry-pi64.zip"), "zip", dir.path());
  text +=
      "\nfirst partition of the Raspberry Pi's card\n" + files_on_fat(partitions(card)[0], card);
  check_golden("media", text);
}

TEST_CASE("golden: files of the layers, with modes and owners", "[images]") {
  ros::TempDir dir;
  std::set<std::string> seen;
  for (const std::string platform : {"amd64", "arm64", "vmware", "hyperv", "proxmoxve", "4glte"}) {
    const fs::path folder = dir.path() / platform;
    check_output({"xorriso", "-osirrox", "on", "-indev",
                  artifact(platform, "rancheros.iso").string(), "-extract", "/layers",
                  folder.string()});
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string file = entry.path().filename().string();
      std::string name = file.substr(0, file.rfind('-'));
      if (platform == "arm64" && !name.ends_with("-arm64")) name += "-arm64";
      if (seen.insert(name).second)
        check_golden("layer-" + name, sorted(files_of_layer(entry.path())));
    }
  }
}
