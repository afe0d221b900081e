// Images for clouds and hypervisors: read by programs that share no code with ours.
#include <catch2/catch.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/text.h"
#include "tests/support/disk.h"

using namespace proof;
using Catch::Contains;

namespace {

// Layout, file systems, the kernel in it, and the words that it alone adds to the command line.
void check_disk(const fs::path& raw, std::uint64_t size, const std::string& own,
                const fs::path& folder) {
  CHECK(fs::file_size(raw) == size);
  CHECK_THAT(check_output({"sfdisk", "--verify", raw.string()}), Contains("No errors detected"));
  const auto all = partitions(raw);
  REQUIRE(all.size() == 4);
  CHECK(all[3].offset + all[3].size + (1 << 20) == size);  // to the copy of the table
  const std::string boot = ext4_name(raw, partition(raw, "RANCHER_BOOT"));
  check_output({"e2fsck", "-fn", boot});
  check_output({"e2fsck", "-fn", ext4_name(raw, partition(raw, "RANCHER_STATE"))});
  const auto take = [&](const std::string& name) {
    check_output({"debugfs", "-R",
                  "dump /" + release() + "/" + name + " " + (folder / name).string(), boot});
    return folder / name;
  };
  const fs::path kernel = take("vmlinuz");
  CHECK(ros::sha256_file(kernel) == ros::sha256_file(artifact("amd64", "vmlinuz")));
  fs::remove(kernel);
  CHECK(ros::read_file(take("append")) == own + "\n");
}

}  // namespace

TEST_CASE("verify: every artifact obeys the rules of those who import it", "[images]") {
  const std::string said =
      check_output({rosbuild_program().string(), "verify", output_folder().string()});
  for (const char* line :
       {"rancheros-azure.vhd: fixed VHD of 4096 MiB",
        "rancheros-aliyun.vhd: dynamic VHD of 4096 MiB",
        "rancheros-gce.tar.gz: disk for Google's cloud of 4096 MiB",
        "rancheros-openstack.img: qcow2 of 4096 MiB", "rancheros.vhdx: VHDX of 8192 MiB",
        "rancheros.ova: OVA", "rancheros-azure.vhd.zip: zip of rancheros-azure.vhd",
        "rancheros-ami.vmdk: VMDK of 4096 MiB", "arm64/rancheros.img: qcow2 of 8192 MiB",
        "rancheros-raspberry-pi64.zip: zip of "})
    CHECK_THAT(said, Contains(line));
  CHECK_THAT(said, !Contains("unknown"));
}

// Formats with large blocks cost a block for each byte that lies alone: those of cloud images must
// be few, or the download is a half larger than the system.
TEST_CASE("images: what is downloaded is hardly larger than the ISO", "[images]") {
  for (const auto& [platform, file] :
       {std::pair{"aliyun", "rancheros-aliyun.vhd"}, std::pair{"ami", "rancheros-ami.vmdk"},
        std::pair{"azure", "rancheros-azure.vhd.zip"},
        std::pair{"cloudstack", "rancheros-cloudstack.img"},
        std::pair{"digitalocean", "rancheros-digitalocean.img"},
        std::pair{"exoscale", "rancheros-exoscale.img"}, std::pair{"gce", "rancheros-gce.tar.gz"},
        std::pair{"openstack", "rancheros-openstack.img"},
        std::pair{"hyperv", "rancheros.vhdx.zip"}, std::pair{"proxmoxve", "rancheros.qcow2"},
        std::pair{"vmware", "rancheros.vmdk"}}) {
    const fs::path image = artifact(platform, file);
    const fs::path iso = image.parent_path() / "rancheros.iso";
    const auto least = fs::file_size(fs::exists(iso) ? iso : artifact("amd64", "rancheros.iso"));
    INFO(file << ": " << fs::file_size(image) << " bytes, the ISO " << least);
    CHECK(static_cast<double>(fs::file_size(image)) < 1.1 * static_cast<double>(least));
  }
}

TEST_CASE("images: each format holds a sound disk with the same kernel", "[images]") {
  constexpr std::uint64_t kGiB = 1 << 30;
  struct Image {
    const char *platform, *file, *format;
    std::uint64_t size;
    const char* own = "";
  };
  for (const auto& [platform, file, format, size, own] :
       {Image{"openstack", "rancheros-openstack.img", "qcow2", 4 * kGiB},
        Image{"aliyun", "rancheros-aliyun.vhd", "vpc", 4 * kGiB},
        Image{"azure", "rancheros-azure.vhd", "vpc", 4 * kGiB},
        Image{"hyperv", "rancheros.vhdx", "vhdx", 8 * kGiB},
        Image{"ami", "rancheros-ami.vmdk", "vmdk", 4 * kGiB},
        Image{"ami", "rancheros-ami-ecs.vmdk", "vmdk", 4 * kGiB,
              "rancher.services_include.amazon-ecs-agent=true"}}) {
    INFO(file);
    ros::TempDir dir;
    const fs::path image = artifact(platform, file);
    if (std::string(format) != "vpc")
      CHECK_THAT(check_output({"qemu-img", "check", "-f", format, image.string()}),
                 Contains("No errors"));
    check_disk(raw_copy(image, format, dir.path()), size, own, dir.path());
  }
  ros::TempDir dir;
  check_output({"tar", "-C", dir.path().string(), "-xzSf",
                artifact("gce", "rancheros-gce.tar.gz").string()});
  check_disk(dir.path() / "disk.raw", 4 * kGiB, "", dir.path());
}

TEST_CASE("images: each cloud has a release of its own to upgrade to", "[images]") {
  for (const auto& [platform, words] :
       {std::pair{"aliyun", ""}, std::pair{"ami", ""}, std::pair{"azure", "rootdelay=300 "},
        std::pair{"cloudstack", ""}, std::pair{"digitalocean", "clocksource=kvm-clock "},
        std::pair{"exoscale", ""}, std::pair{"gce", "rancher.docker.mtu=1460 "},
        std::pair{"openstack", ""}}) {
    INFO(platform);
    const std::string index = ros::read_file(artifact(platform, "release/index"));
    CHECK_THAT(index, Contains(std::string{"\nplatform "} + platform + "\n") && Contains(words));
    for (const auto& line : ros::split(index, '\n')) {
      const auto fields = ros::words(line);
      if (fields.empty() || fields[0] != "file") continue;
      CHECK(ros::sha256_file(artifact(platform, "release") / fields.at(2)) == fields.at(4));
    }
  }
}

TEST_CASE("images: the OVA holds the VMDK beside it, the zips their disks", "[images]") {
  ros::TempDir dir;
  check_output(
      {"bsdtar", "-C", dir.path().string(), "-xf", artifact("vmware", "rancheros.ova").string()});
  CHECK(ros::sha256_file(dir.path() / "rancheros-disk1.vmdk") ==
        ros::sha256_file(artifact("vmware", "rancheros.vmdk")));
  check_output({"xmllint", "--noout", (dir.path() / "rancheros.ovf").string()});
  check_output({"bsdtar", "-C", dir.path().string(), "-xSf",
                artifact("azure", "rancheros-azure.vhd.zip").string()});
  CHECK(ros::sha256_file(dir.path() / "rancheros-azure.vhd") ==
        ros::sha256_file(artifact("azure", "rancheros-azure.vhd")));
  check_output({"bsdtar", "-C", dir.path().string(), "-xSf",
                artifact("hyperv", "rancheros.vhdx.zip").string()});
  CHECK(ros::sha256_file(dir.path() / "rancheros.vhdx") ==
        ros::sha256_file(artifact("hyperv", "rancheros.vhdx")));
}
