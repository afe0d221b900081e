// Every artifact under every firmware and on every device that it is meant for.
// Disk sizes differ from the image's, so that growing is part of each vmdk boot.
#include <catch2/catch.hpp>

#include "builder/os/process.h"
#include "tests/boot/scenario.h"

using namespace proof;

namespace {

Disk vmdk(const fs::path& folder, Bus bus) {
  return {.path = overlay(folder, artifact("vmware", "rancheros.vmdk"), "vmdk", "10G"),
          .bus = bus,
          .format = "qcow2",
          .boot = true};
}

// The ISO has no state of its own; a disk labelled RANCHER_STATE is found by itself.
Machine iso_machine(std::string name, const fs::path& folder, const std::string& platform, Bus bus,
                    Firmware firmware) {
  return {.name = std::move(name),
          .firmware = firmware,
          .disks = {{.path = artifact(platform, "rancheros.iso"), .bus = bus, .boot = true},
                    {.path = state_disk(folder), .bus = Bus::virtio}}};
}

// One image of a disk, booted from its own bytes by QEMU's driver for its format.
struct Image {
  std::string platform;
  std::string file;
  std::string format;  // QEMU's name
  Bus bus = Bus::virtio;
  Firmware firmware = Firmware::bios;
  std::string nic = "virtio-net-pci";
};

// What is packed into an archive is taken out of it first.
fs::path disk_of(const Image& image, const fs::path& folder) {
  const std::string path = artifact(image.platform, image.file).string();
  const std::string to = folder.string();
  if (image.file.ends_with(".tar.gz")) {
    check_output({"tar", "-C", to, "-xzSf", path});
    return folder / "disk.raw";
  }
  if (image.file.ends_with(".ova")) {
    check_output({"tar", "-C", to, "-xf", path});
    return folder / "rancheros-disk1.vmdk";
  }
  return path;
}

Machine machine_of(const Image& image, const fs::path& folder) {
  return {.name = "image-" + image.file,
          .firmware = image.firmware,
          .nic = image.nic,
          .disks = {{.path = overlay(folder, disk_of(image, folder), image.format, "9G"),
                     .bus = image.bus,
                     .format = "qcow2",
                     .boot = true}}};
}

// Up, with its state on the disk, which has grown, and with a Docker that works.
void check_boots(const Image& image) {
  ros::TempDir dir;
  Guest guest{machine_of(image, dir.path())};
  guest.expect_ready();
  make_image(guest);
  check_whole(guest);
  CHECK(std::stod(guest.run("findmnt -bno SIZE /state")) > 8e9);
}

}  // namespace

TEST_CASE("image: Hyper-V's VHDX, OVMF, AHCI", "[boot][matrix]") {
  check_boots({"hyperv", "rancheros.vhdx", "vhdx", Bus::ahci, Firmware::uefi});
}

TEST_CASE("image: Google's disk.raw out of its tarball", "[boot][matrix]") {
  check_boots({"gce", "rancheros-gce.tar.gz", "raw"});
}

TEST_CASE("image: Azure's fixed VHD on IDE", "[boot][matrix]") {
  check_boots({"azure", "rancheros-azure.vhd", "vpc", Bus::ide});
}

TEST_CASE("image: Amazon's VMDK, NVMe", "[boot][matrix]") {
  check_boots({"ami", "rancheros-ami.vmdk", "vmdk", Bus::nvme, Firmware::uefi});
}

TEST_CASE("image: Alibaba's dynamic VHD", "[boot][matrix]") {
  check_boots({"aliyun", "rancheros-aliyun.vhd", "vpc"});
}

TEST_CASE("image: the VMDK out of the OVA, on VMware's devices", "[boot][matrix]") {
  check_boots({"vmware", "rancheros.ova", "vmdk", Bus::pvscsi, Firmware::bios, "vmxnet3"});
}

TEST_CASE("image: Proxmox's qcow2", "[boot][matrix]") {
  check_boots({"proxmoxve", "rancheros.qcow2", "qcow2", Bus::virtio});
}

TEST_CASE("image: qcow2 of OpenStack", "[boot][matrix]") {
  check_boots({"openstack", "rancheros-openstack.img", "qcow2"});
}

TEST_CASE("image: qcow2 of DigitalOcean", "[boot][matrix]") {
  check_boots({"digitalocean", "rancheros-digitalocean.img", "qcow2"});
}

TEST_CASE("image: qcow2 of CloudStack", "[boot][matrix]") {
  check_boots({"cloudstack", "rancheros-cloudstack.img", "qcow2"});
}

TEST_CASE("image: qcow2 of Exoscale", "[boot][matrix]") {
  check_boots({"exoscale", "rancheros-exoscale.img", "qcow2"});
}

TEST_CASE("vmdk: SeaBIOS, IDE, 512 MB of memory", "[boot]") {
  ros::TempDir dir;
  Guest guest{{.name = "vmdk-seabios",
               .memory_mb = 512,
               .nic = "e1000",
               .disks = {vmdk(dir.path(), Bus::ide)}}};
  exercise(guest);
  // The state grew over the whole disk: 10 GiB less what the other partitions take.
  const double size = std::stod(guest.run("findmnt -bno SIZE /state"));
  CHECK(size > 7e9);
}

TEST_CASE("vmdk: OVMF, NVMe", "[boot]") {
  ros::TempDir dir;
  Guest guest{
      {.name = "vmdk-ovmf", .firmware = Firmware::uefi, .disks = {vmdk(dir.path(), Bus::nvme)}}};
  exercise(guest);
}

TEST_CASE("vmdk: OVMF enforcing Secure Boot with Microsoft's keys", "[boot]") {
  ros::TempDir dir;
  Guest guest{{.name = "vmdk-secure-boot",
               .firmware = Firmware::secure_boot,
               .nic = "e1000e",
               .disks = {vmdk(dir.path(), Bus::ahci)}}};
  exercise(guest);
  const std::string kernel = guest.root("dmesg");
  CHECK_THAT(kernel, Catch::Contains("Secure boot enabled"));
  CHECK_THAT(kernel, Catch::Contains("Kernel is locked down"));
}

TEST_CASE("vmdk: VMware's devices, vmxnet3 and pvscsi", "[boot]") {
  ros::TempDir dir;
  Guest guest{
      {.name = "vmdk-vmware-devices", .nic = "vmxnet3", .disks = {vmdk(dir.path(), Bus::pvscsi)}}};
  exercise(guest);
  CHECK_THAT(guest.run("readlink /sys/class/net/eth0/device/driver"), Catch::EndsWith("/vmxnet3"));
  CHECK_THAT(guest.run("cat /sys/class/scsi_host/host*/proc_name"), Catch::Contains("vmw_pvscsi"));
}

TEST_CASE("iso: SeaBIOS, as a CD", "[boot]") {
  ros::TempDir dir;
  Guest guest{iso_machine("iso-seabios-cd", dir.path(), "amd64", Bus::cdrom, Firmware::bios)};
  exercise(guest);
}

TEST_CASE("iso: SeaBIOS, as a USB disk", "[boot]") {
  ros::TempDir dir;
  auto machine = iso_machine("iso-seabios-usb", dir.path(), "vmware", Bus::usb, Firmware::bios);
  // QEMU locks what it may write; the artifact itself stays out of reach.
  machine.disks[0].path = overlay(dir.path(), machine.disks[0].path, "raw", "1G");
  machine.disks[0].format = "qcow2";
  Guest guest{machine};
  exercise(guest);
}

TEST_CASE("iso: OVMF, as a CD", "[boot]") {
  ros::TempDir dir;
  Guest guest{iso_machine("iso-ovmf-cd", dir.path(), "amd64", Bus::cdrom, Firmware::uefi)};
  exercise(guest);
}

TEST_CASE("netboot: kernel and initrd alone, 768 MB of memory", "[boot]") {
  ros::TempDir dir;
  Guest guest{{.name = "netboot",
               .memory_mb = 768,
               .disks = {{.path = state_disk(dir.path()), .bus = Bus::virtio}},
               .arguments = {"-kernel", artifact("amd64", "vmlinuz").string(), "-initrd",
                             artifact("amd64", "initrd").string(), "-append",
                             "console=tty1 console=ttyS0,115200 net.ifnames=0 quiet loglevel=4 "
                             "panic=10 rancher.state.dev=LABEL=RANCHER_STATE"}}};
  exercise(guest);
}
