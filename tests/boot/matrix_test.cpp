// Every artifact under every firmware and on every device that it is meant for.
// Disk sizes differ from the image's, so that growing is part of each vmdk boot.
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "builder/os/process.h"
#include "runtime/base/text.h"
#include "tests/boot/scenario.h"
#include "tests/boot/service.h"
#include "tests/support/http_server.h"

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
  unsigned gib = 9;  // of the disk: more than the image has, unless said otherwise
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

// An image in the machine of its cloud or hypervisor, which is the only one to say with which key
// one gets in, what the box is called, and the user-data.
struct Box {
  explicit Box(const Image& image) : gib(image.gib) {
    make_key(machine.key = folder.path() / "key");
    key = ros::trim(ros::read_file(folder.path() / "key.pub"));
    machine.name = "image-" + image.file;
    machine.firmware = image.firmware;
    machine.nic = image.nic;
    machine.disks = {{.path = overlay(folder.path(), disk_of(image, folder.path()), image.format,
                                      std::to_string(gib) + "G"),
                      .bus = image.bus,
                      .format = "qcow2",
                      .boot = true}};
  }
  void add(const std::vector<std::string>& arguments) {
    machine.arguments.insert(machine.arguments.end(), arguments.begin(), arguments.end());
  }
  void add_cd(const std::string& label, const std::map<std::string, std::string>& files) {
    machine.disks.push_back({.path = make_cd(folder.path(), label, files), .bus = Bus::cdrom});
  }

  unsigned gib;
  ros::TempDir folder;
  std::string key;  // its public half
  Machine machine;
};

constexpr const char* kUserData =
    "#cloud-config\nwrite_files:\n  - {path: /opt/served, content: by its cloud}\n";
constexpr const char* kUserDataInBase64 =
    "I2Nsb3VkLWNvbmZpZwp3cml0ZV9maWxlczoKICAtIHtwYXRoOiAvb3B0L3NlcnZlZCwgY29udGVu"
    "dDogYnkgaXRzIGNsb3VkfQo=";

// Up, served, with a Docker that works and its state on the disk, which has grown.
void check_served(Guest& guest, const Box& box, const std::string& hostname) {
  guest.expect_ready();
  await(guest, "[ \"$(cat /opt/served)\" = 'by its cloud' ]");
  CHECK(guest.run("hostname") == hostname);
  make_image(guest);
  check_whole(guest);
  // The words of its platform mean something.
  CHECK_THAT(guest.console(), !Catch::Contains("unknown key"));
  await(guest, fmt::format("[ $(findmnt -bno SIZE /state) -gt {}000000000 ]", box.gib - 1));
}

void check_served(const Box& box, const std::string& hostname) {
  Guest guest{box.machine};
  check_served(guest, box, hostname);
}

// What CloudStack and its like serve, with the keys as a plain list.
std::map<std::string, std::string> plain_documents(const std::string& hostname,
                                                   const std::string& key) {
  return {{"meta-data/local-hostname", hostname},
          {"meta-data/public-keys", key + "\n"},
          {"user-data", kUserData}};
}

// EC2 and its like: a list of keys, and each on its own.
std::map<std::string, std::string> ec2_documents(const std::string& hostname,
                                                 const std::string& key) {
  return {{"meta-data/hostname", hostname},
          {"meta-data/local-hostname", hostname},
          {"meta-data/public-keys", "0=test"},
          {"meta-data/public-keys/0/openssh-key", key},
          {"user-data", kUserData}};
}

// EC2 itself, which wants a token, on the network of the box.
void serve_ec2(Service& ec2, Box& box, const std::string& hostname) {
  ec2.put_raw("PUT /latest/api/token", {Service::answer(200, "token-of-this-session")});
  ec2.put_below("/latest/", ec2_documents(hostname, box.key));
  box.machine.nic += ",net=169.254.169.0/24,restrict=on" + ec2.option();
}

// What QEMU's agent in the box answers, "" when it says nothing within ninety seconds.
std::string ask_agent(const fs::path& socket, const std::string& command) {
  const ros::Fd peer{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  REQUIRE(socket.string().size() < sizeof address.sun_path);
  std::strcpy(address.sun_path, socket.c_str());
  REQUIRE(::connect(peer.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const timeval limit{90, 0};
  ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ros::write_all(peer.get(), "{\"execute\": \"" + command + "\"}\n");
  std::string answer;
  for (char byte = 0; !answer.ends_with('\n') && ::read(peer.get(), &byte, 1) == 1;) answer += byte;
  return answer;
}

std::string nocloud_user_data(const Box& box) {
  return kUserData + ("ssh_authorized_keys: ['" + box.key + "']\n");
}

}  // namespace

TEST_CASE("image: Amazon's VMDK, OVMF, NVMe, by EC2's metadata", "[boot][matrix]") {
  Box box{{"ami", "rancheros-ami.vmdk", "vmdk", Bus::nvme, Firmware::uefi, "e1000e"}};
  Service ec2{box.folder.path(), "169.254.169.254"};
  serve_ec2(ec2, box, "amazon.internal");
  check_served(box, "amazon.internal");
}

// Its agent is in a registry that is not reached from here.
TEST_CASE("image: Amazon's VMDK with the agent of ECS, which stays switched on", "[boot][matrix]") {
  Box box{{"ami", "rancheros-ami-ecs.vmdk", "vmdk", Bus::nvme, Firmware::uefi, "e1000e"}};
  Service ec2{box.folder.path(), "169.254.169.254"};
  serve_ec2(ec2, box, "ecs.internal");
  Guest guest{box.machine};
  check_served(guest, box, "ecs.internal");
  const auto check_agent = [&] {
    CHECK_THAT(guest.root("ros service list"), Catch::Contains("enabled   amazon-ecs-agent"));
    CHECK_THAT(guest.root("ros service ps"), Catch::Contains("amazon-ecs-agent"));
  };
  check_agent();
  guest.root("ros os append word.of.owner");
  CHECK(guest.root("ros os append") == "word.of.owner");
  guest.reboot();
  CHECK_THAT(guest.run("cat /proc/cmdline"), Catch::Contains(" word.of.owner"));
  check_agent();
  guest.root("ros os append --clear");
  CHECK(guest.root("ros os append") == "");
}

TEST_CASE("image: Google's disk.raw out of its tarball, virtio-scsi, by its metadata",
          "[boot][matrix]") {
  Box box{{"gce", "rancheros-gce.tar.gz", "raw", Bus::virtio_scsi}};
  Service google{box.folder.path(), "169.254.169.254"};
  google.put_below(
      "/computeMetadata/v1/",
      {{"project/?recursive=true", "{}"},
       {"instance/?recursive=true",
        R"({"hostname": "google.internal", "attributes": {"ssh-keys": "rancher:)" + box.key +
            R"(", "user-data": ")" + ros::replace_all(kUserData, "\n", "\\n") + "\"}}"}});
  box.machine.nic += ",net=169.254.169.0/24,restrict=on" + google.option();
  check_served(box, "google.internal");
}

TEST_CASE("image: Azure's fixed VHD on IDE, by its metadata, reported ready", "[boot][matrix]") {
  Box box{{"azure", "rancheros-azure.vhd", "vpc", Bus::ide, Firmware::bios, "e1000"}};
  Service metadata{box.folder.path(), "169.254.169.254"};
  Service wire_server{box.folder.path(), "168.63.129.16"};
  REQUIRE(ros::decode_base64(kUserDataInBase64) == kUserData);
  metadata.put("/metadata/instance?api-version=2021-02-01&format=json",
               R"({"compute": {"name": "azure", "publicKeys": [{"path": "", "keyData": ")" +
                   box.key + R"("}], "customData": ")" + kUserDataInBase64 + "\"}}");
  wire_server.put("/machine/?comp=goalstate",
                  "<GoalState><Incarnation>1</Incarnation><Container><ContainerId>c-1"
                  "</ContainerId><RoleInstanceList><RoleInstance><InstanceId>i-1</InstanceId>"
                  "</RoleInstance></RoleInstanceList></Container></GoalState>");
  wire_server.put_raw("POST /machine/?comp=health", {Service::answer(200, "")});
  box.machine.nic += ",net=168.0.0.0/7,restrict=on" + metadata.option() + wire_server.option();
  check_served(box, "azure");
  CHECK_THAT(wire_server.wait_for("POST /machine/?comp=health ", seconds{120}),
             Catch::Contains("<State>Ready<"));
}

TEST_CASE("image: Alibaba's dynamic VHD, by its metadata", "[boot][matrix]") {
  Box box{{.platform = "aliyun", .file = "rancheros-aliyun.vhd", .format = "vpc", .gib = 4}};
  Service aliyun{box.folder.path(), "100.100.100.200"};
  aliyun.put_raw("PUT /latest/api/token", {Service::answer(200, "token-of-this-session")});
  aliyun.put_below("/2016-01-01/", ec2_documents("aliyun", box.key));
  box.machine.nic += ",net=100.100.100.0/24,restrict=on" + aliyun.option();
  check_served(box, "aliyun");
}

TEST_CASE("image: OpenStack's qcow2, by its metadata service", "[boot][matrix]") {
  Box box{{"openstack", "rancheros-openstack.img", "qcow2"}};
  Service nova{box.folder.path(), "169.254.169.254"};
  nova.put_below(
      "/openstack/latest/",
      {{"meta_data.json", R"({"hostname": "nova", "public_keys": {"test": ")" + box.key + "\"}}"},
       {"user_data", kUserData}});
  box.machine.nic += ",net=169.254.169.0/24,restrict=on" + nova.option();
  check_served(box, "nova");
}

TEST_CASE("image: DigitalOcean's qcow2, virtio-scsi, by its metadata", "[boot][matrix]") {
  Box box{{"digitalocean", "rancheros-digitalocean.img", "qcow2", Bus::virtio_scsi}};
  Service metadata{box.folder.path(), "169.254.169.254"};
  metadata.put("/metadata/v1/user-data", kUserData);
  metadata.put("/metadata/v1.json",
               R"({"hostname": "droplet", "public_keys": [")" + box.key + R"("], "interfaces": {
      "public": [{"mac": "52:54:00:12:34:56", "ipv4": {"ip_address": "169.254.169.15",
                  "netmask": "255.255.255.0", "gateway": "169.254.169.2"}}]}})");
  box.machine.nic += ",net=169.254.169.0/24,restrict=on" + metadata.option();
  check_served(box, "droplet");
}

// QEMU's DHCP server is the host, whose ports are those of our loopback.
TEST_CASE("image: CloudStack's qcow2, by the metadata of its router", "[boot][matrix]") {
  if (::geteuid() != 0) {
    fmt::print("SKIPPED: port 80 of the loopback needs root\n");
    return;
  }
  Box box{{"cloudstack", "rancheros-cloudstack.img", "qcow2"}};
  ros::test::HttpServer router{80};
  for (const auto& [name, text] : plain_documents("cloudstack", box.key))
    router.put("/latest/" + name, text);
  check_served(box, "cloudstack");
}

TEST_CASE("image: Exoscale's qcow2, by its metadata", "[boot][matrix]") {
  Box box{{"exoscale", "rancheros-exoscale.img", "qcow2"}};
  Service metadata{box.folder.path(), "169.254.169.254"};
  metadata.put_below("/1.0/", ec2_documents("exoscale", box.key));
  box.machine.nic += ",net=169.254.169.0/24,restrict=on" + metadata.option();
  box.add({"-smbios", "type=1,manufacturer=Exoscale,product=Exoscale Compute Platform"});
  check_served(box, "exoscale");
}

TEST_CASE("image: the VMDK out of the OVA, VMware's devices, by an OVF environment",
          "[boot][matrix]") {
  Box box{{"vmware", "rancheros.ova", "vmdk", Bus::pvscsi, Firmware::bios, "vmxnet3"}};
  box.add({"-smbios", "type=1,manufacturer=VMware,product=VMware Virtual Platform"});
  box.add_cd("OVF ENV",
             {{"ovf-env.xml", R"(<?xml version="1.0"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"
    xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"><PropertySection>
  <Property oe:key="guestinfo.hostname" oe:value="vsphere"/>
  <Property oe:key="guestinfo.cloud-init.config.data" oe:value=")" +
                                  ros::replace_all(nocloud_user_data(box), "\n", "&#10;") +
                                  R"("/>
</PropertySection></Environment>)"}});
  Guest guest{box.machine};
  check_served(guest, box, "vsphere");
  // It is whole and started, and ends again: what it asks for here is no VMware.
  CHECK_THAT(guest.run("for file in /usr/bin/vmtoolsd /usr/lib/*/open-vm-tools/plugins/*/*.so; do "
                       "/lib64/ld-linux-x86-64.so.2 --list $file || exit; done"),
             Catch::Contains("libvmtools.so.0 => ") && !Catch::Contains("not found"));
  guest.expect("service open-vm-tools ended with status 1;", seconds{180});
}

TEST_CASE("image: Hyper-V's VHDX, OVMF, AHCI, by NoCloud", "[boot][matrix]") {
  Box box{{"hyperv", "rancheros.vhdx", "vhdx", Bus::ahci, Firmware::uefi, "e1000e"}};
  box.add({"-smbios", "type=1,manufacturer=Microsoft Corporation,product=Virtual Machine"});
  box.add_cd("cidata",
             {{"meta-data", "local-hostname: hyperv\n"}, {"user-data", nocloud_user_data(box)}});
  Guest guest{box.machine};
  check_served(guest, box, "hyperv");
  for (const std::string service : {"hyperv-vm-tools", "hyperv-vss"})
    CHECK_THAT(guest.root("system-docker logs " + service + " 2>&1; ros service list -a"),
               Catch::Contains("enabled   " + service));
  CHECK(guest.root("system-docker inspect -f '{{.Path}}' hyperv-vm-tools") == "hv_kvp_daemon");
}

TEST_CASE("image: Proxmox's qcow2, virtio-scsi, by its cloud-init drive", "[boot][matrix]") {
  Box box{{"proxmoxve", "rancheros.qcow2", "qcow2", Bus::virtio_scsi}};
  box.add_cd("cidata",
             {{"meta-data", "local-hostname: proxmox\n"},
              {"user-data", nocloud_user_data(box) +
                                "manage_etc_hosts: true\nfqdn: proxmox.example\nuser: owner\n"
                                "password: $5$salt$NoSuchHash\nchpasswd:\n  expire: False\n"
                                "users:\n  - default\npackage_upgrade: true\n"}});
  const fs::path socket = box.folder.path() / "agent";
  box.add({"-device", "virtio-serial-pci", "-chardev",
           "socket,id=agent,server=on,wait=off,path=" + socket.string(), "-device",
           "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"});
  Guest guest{box.machine};
  check_served(guest, box, "proxmox");
  CHECK(guest.root("grep -o '^owner:[^:]*' /etc/shadow; id -nG owner") ==
        "owner:$5$salt$NoSuchHash\nowner docker");
  CHECK_THAT(ask_agent(socket, "guest-network-get-interfaces"), Catch::Contains("\"eth0\""));
  ask_agent(socket, "guest-shutdown");
  guest.expect_off(seconds{180});
}

// Slow: what is not in memory is unpacked again and again.
TEST_CASE("vmdk: 384 MB of memory", "[boot][matrix]") {
  ros::TempDir dir;
  Guest guest{{.name = "vmdk-384-mb", .memory_mb = 384, .disks = {vmdk(dir.path(), Bus::virtio)}}};
  exercise(guest);
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

TEST_CASE("netboot: the firmware's iPXE runs rancheros.ipxe over HTTP", "[boot][matrix]") {
  ros::TempDir dir;
  ros::test::HttpServer server;
  const std::string url = ros::replace_all(server.url(), "127.0.0.1", "10.0.2.2");
  server.put("/os/start.ipxe",
             "#!ipxe\nset append cc.hostname=chained\nchain amd64/rancheros.ipxe\n");
  for (const char* name : {"rancheros.ipxe", "vmlinuz", "initrd"})
    server.put(fmt::format("/os/amd64/{}", name), ros::read_file(artifact("amd64", name)));
  Guest guest{{.name = "ipxe",
               .nic = fmt::format("virtio-net-pci,bootfile={}/os/start.ipxe", url),
               .disks = {{.path = state_disk(dir.path()), .bus = Bus::virtio}}}};
  exercise(guest);
  CHECK(guest.run("hostname") == "chained");
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
