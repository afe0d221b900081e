#include "builder/verify/boot.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "builder/os/process.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

bool has_pair(const std::vector<std::string>& argv, const std::string& option,
              const std::string& value) {
  for (auto at = std::ranges::find(argv, option); at != argv.end();
       at = std::find(at + 1, argv.end(), option))
    if (at + 1 != argv.end() && at[1] == value) return true;
  return false;
}

std::string line(const BootOptions& options) { return ros::quote(qemu_command(options)); }

BootOptions with_disk(BootDisk disk, BootFirmware firmware = BootFirmware::bios) {
  BootOptions options{.firmware = firmware};
  disk.path = "/d.img";
  disk.format = "raw";
  options.disks = {disk};
  return options;
}

void put(const fs::path& path, std::size_t size, std::size_t at, const std::string& bytes) {
  std::string content(size, '\0');
  content.replace(at, bytes.size(), bytes);
  ros::write_file(path, content);
}

const std::string kIsoMark = "\1CD001";

std::string kernel_bytes() {
  std::string bytes(4096, '\0');
  bytes.replace(510, 2, "\x55\xaa");
  bytes.replace(0x202, 4, "HdrS");
  return bytes;
}

// A disk that writes "OK" to the serial port and ends QEMU, through isa-debug-exit, with status 43.
std::string boot_sector() {
  std::string code(
      "\xba\xf8\x03"        // mov dx, 3f8
      "\xb0O\xee\xb0K\xee"  // out dx, 'O'; 'K'
      "\xb0\n\xee"
      "\xb0\x15\xe6\xf4"  // out f4, 15h: exits with 2 * 15h + 1
      "\xeb\xfe",
      18);
  code.resize(510, '\0');
  return code + "\x55\xaa" + std::string((1 << 20) - 512, '\0');
}

}  // namespace

TEST_CASE("boot: the command of a default machine", "[verify]") {
  const auto argv = qemu_command({});
  CHECK(argv[0] == "qemu-system-x86_64");
  CHECK(has_pair(argv, "-machine", "pc"));
  CHECK(has_pair(argv, "-accel", "tcg,thread=multi"));
  CHECK(has_pair(argv, "-smp", "2"));
  CHECK(has_pair(argv, "-m", "1024"));
  CHECK(has_pair(argv, "-display", "none"));
  CHECK(has_pair(argv, "-serial", "mon:stdio"));
  CHECK(has_pair(argv, "-device", "virtio-rng-pci"));
  CHECK(has_pair(argv, "-nic", "user,model=virtio-net-pci"));
  CHECK_FALSE(std::ranges::count(argv, "-no-reboot"));
  CHECK_FALSE(std::ranges::count(argv, "-kernel"));
}

TEST_CASE("boot: an ARM machine and a board", "[verify]") {
  const auto argv = qemu_command({.arch = "arm64",
                                  .firmware = BootFirmware::uefi,
                                  .disks = {{.path = "/cd", .bus = Bus::cdrom, .format = "raw"}},
                                  .firmware_code = "/code",
                                  .firmware_vars = "/vars"});
  CHECK(argv[0] == "qemu-system-aarch64");
  CHECK(has_pair(argv, "-machine", "virt"));
  CHECK(has_pair(argv, "-device", "virtio-scsi-pci,id=disk0-bus"));
  CHECK(has_pair(argv, "-device", "scsi-cd,bus=disk0-bus.0,drive=disk0"));
  CHECK_FALSE(std::ranges::count(argv, "-vga"));
  CHECK_FALSE(has_pair(argv, "-global", "ICH9-LPC.disable_s3=1"));

  const auto board =
      qemu_command({.arch = "arm64", .board = "raspi3b", .serial = "s", .arguments = {"-x"}});
  CHECK(board == std::vector<std::string>{"qemu-system-aarch64", "-nodefaults", "-machine",
                                          "raspi3b", "-display", "none", "-serial", "null",
                                          "-serial", "s", "-x"});
}

TEST_CASE("boot: KVM brings the host's processor", "[verify]") {
  const auto argv = qemu_command({.kvm = true});
  CHECK(has_pair(argv, "-accel", "kvm"));
  CHECK(has_pair(argv, "-cpu", "host"));
}

TEST_CASE("boot: forwarded ports and network cards", "[verify]") {
  BootOptions options{.nic = "vmxnet3", .forwards = {{2222, 22}, {8080, 80}}};
  CHECK(has_pair(qemu_command(options), "-nic",
                 "user,model=vmxnet3,hostfwd=tcp:127.0.0.1:2222-:22,"
                 "hostfwd=tcp:127.0.0.1:8080-:80"));
  CHECK(has_pair(qemu_command({.nic = "none"}), "-nic", "none"));
}

TEST_CASE("boot: a kernel comes with initrd and command line, more arguments at the end",
          "[verify]") {
  const auto argv = qemu_command(
      {.kernel = "/k", .initrd = "/i", .cmdline = "quiet panic=10", .arguments = {"-smp", "4"}});
  CHECK(has_pair(argv, "-kernel", "/k"));
  CHECK(has_pair(argv, "-initrd", "/i"));
  CHECK(has_pair(argv, "-append", "quiet panic=10"));
  CHECK(argv.end()[-2] == "-smp");
  CHECK(argv.end()[-1] == "4");
}

TEST_CASE("boot: every bus has its devices", "[verify]") {
  const auto device = [](BootDisk disk, BootFirmware firmware = BootFirmware::bios) {
    return line(with_disk(disk, firmware));
  };
  CHECK_THAT(device({.bus = Bus::virtio}), Contains("-device virtio-blk-pci,drive=disk0"));
  CHECK_THAT(device({.bus = Bus::ide}), Contains("-device ide-hd,bus=ide.0,unit=0,drive=disk0"));
  CHECK_THAT(device({.bus = Bus::ide, .read_only = true}), Contains("-device ide-cd"));
  CHECK_THAT(device({.bus = Bus::ide}, BootFirmware::uefi),
             Contains("-device ide-hd,bus=ide.0,drive=disk0"));
  CHECK_THAT(device({.bus = Bus::ahci}),
             Contains("-device ich9-ahci,id=disk0-bus -drive") &&
                 Contains("-device ide-hd,bus=disk0-bus.0,drive=disk0"));
  CHECK_THAT(device({.bus = Bus::ahci}, BootFirmware::uefi), !Contains("ich9-ahci"));
  CHECK_THAT(device({.bus = Bus::nvme}), Contains("-device nvme,serial=disk0,drive=disk0"));
  CHECK_THAT(device({.bus = Bus::pvscsi}), Contains("-device scsi-hd,bus=disk0-bus.0,drive=disk0"));
  CHECK_THAT(device({.bus = Bus::virtio_scsi}), Contains("-device virtio-scsi-pci,id=disk0-bus"));
  CHECK_THAT(device({.bus = Bus::usb}),
             Contains("-device usb-storage,bus=disk0-bus.0,drive=disk0"));
  CHECK_THAT(device({.bus = Bus::cdrom}), Contains("readonly=on") && Contains("-device ide-cd"));
}

TEST_CASE("boot: disks are left unchanged unless asked otherwise", "[verify]") {
  BootOptions options = with_disk({.boot = true});
  CHECK_THAT(line(options), Contains("file=/d.img,snapshot=on") && Contains("bootindex=1"));
  options.snapshot = false;
  CHECK_THAT(line(options), !Contains("snapshot") && !Contains("readonly"));
  options.disks[0].read_only = true;
  CHECK_THAT(line(options), Contains("file=/d.img,readonly=on"));
}

TEST_CASE("boot: boot disks are numbered, others are not", "[verify]") {
  BootOptions options = with_disk({});
  options.disks.push_back({.path = "/a", .format = "raw", .boot = true});
  options.disks.push_back({.path = "/b", .format = "raw", .boot = true});
  CHECK_THAT(line(options), Contains("drive=disk0 ") && Contains("drive=disk1,bootindex=1 ") &&
                                Contains("drive=disk2,bootindex=2"));
}

TEST_CASE("boot: a comma in a name is no end of it", "[verify]") {
  BootOptions options = with_disk({});
  options.disks[0].path = "/a,b.img";
  CHECK_THAT(line(options), Contains("file=/a,,b.img,snapshot=on"));
}

TEST_CASE("boot: secure boot keeps the variables to system management mode", "[verify]") {
  BootOptions options{
      .firmware = BootFirmware::secure_boot, .firmware_code = "/code", .firmware_vars = "/vars"};
  auto argv = qemu_command(options);
  CHECK(has_pair(argv, "-machine", "q35,smm=on"));
  CHECK(has_pair(argv, "-global", "driver=cfi.pflash01,property=secure,value=on"));
  CHECK(has_pair(argv, "-global", "ICH9-LPC.disable_s3=1"));
  CHECK(has_pair(argv, "-drive", "if=pflash,unit=0,format=raw,readonly=on,file=/code"));
  CHECK(has_pair(argv, "-drive", "if=pflash,unit=1,format=raw,file=/vars"));
  options.firmware = BootFirmware::uefi;
  argv = qemu_command(options);
  CHECK(has_pair(argv, "-machine", "q35"));
  CHECK_FALSE(std::ranges::count(argv, "-global"));
}

TEST_CASE("boot: formats are told by content", "[verify]") {
  const ros::TempDir folder;
  const fs::path file = folder.path() / "image";
  const auto format = [&](std::size_t at, const std::string& mark) {
    put(file, 2048, at, mark);
    return detect_format(file);
  };
  CHECK(format(0, "KDMV") == "vmdk");
  CHECK(format(0, "# Disk DescriptorFile\n") == "vmdk");
  CHECK(format(0, "QFI\xfb") == "qcow2");
  CHECK(format(0, "vhdxfile") == "vhdx");
  CHECK(format(0, "conectix") == "vpc");
  CHECK(format(2048 - 512, "conectix") == "vpc");
  CHECK(format(0, "anything") == "raw");
  ros::write_file(file, "KD");
  CHECK(detect_format(file) == "raw");
  ros::write_file(file, "");
  CHECK(detect_format(file) == "raw");
  CHECK_THROWS_AS(detect_format(folder.path() / "absent"), ros::Error);
}

TEST_CASE("boot: qemu-img agrees on the formats", "[verify]") {
  if (!find_program("qemu-img")) {
    WARN("SKIPPED: no qemu-img");
    return;
  }
  const ros::TempDir folder;
  for (const std::string format : {"raw", "vmdk", "qcow2", "vhdx", "vpc"}) {
    const fs::path file = folder.path() / format;
    run({.argv = {"qemu-img", "create", "-q", "-f", format, file.string(), "4M"}});
    CHECK(detect_format(file) == format);
  }
  const fs::path fixed = folder.path() / "fixed";
  run({.argv = {"qemu-img", "create", "-q", "-f", "vpc", "-o", "subformat=fixed", fixed.string(),
                "4M"}});
  CHECK(detect_format(fixed) == "vpc");
}

TEST_CASE("boot: artifacts are told by content", "[verify]") {
  const ros::TempDir folder;
  const auto added = [&](const std::string& name) {
    BootOptions options;
    add_artifact(options, folder.path() / name);
    return options;
  };
  put(folder.path() / "an.img", 40000, 32768, kIsoMark);
  auto options = added("an.img");
  REQUIRE(options.disks.size() == 1);
  CHECK(options.disks[0].bus == Bus::cdrom);
  CHECK(options.disks[0].boot);

  put(folder.path() / "disk", 4096, 510, "\x55\xaa");
  options = added("disk");
  REQUIRE(options.disks.size() == 1);
  CHECK(options.disks[0].bus == Bus::virtio);
  CHECK(options.disks[0].format == "raw");
  CHECK(options.disks[0].boot);

  put(folder.path() / "disk.vmdk", 4096, 0, "KDMV");
  CHECK(added("disk.vmdk").disks.at(0).format == "vmdk");

  ros::write_file(folder.path() / "net/vmlinuz", kernel_bytes());
  ros::write_file(folder.path() / "net/initrd", "");
  for (const std::string name : {"net", "net/vmlinuz"}) {
    options = added(name);
    CHECK(options.kernel == folder.path() / "net/vmlinuz");
    CHECK(options.initrd == folder.path() / "net/initrd");
    CHECK_THAT(options.cmdline, Contains("console=ttyS0,115200"));
    CHECK(options.disks.empty());
  }
  put(folder.path() / "arm/vmlinuz", 4096, 0x38, "ARM\x64");
  ros::write_file(folder.path() / "arm/initrd", "");
  options = added("arm");
  CHECK(options.arch == "arm64");
  CHECK_THAT(options.cmdline, Contains("console=ttyAMA0,115200"));
  BootOptions own{.cmdline = "mine"};
  add_artifact(own, folder.path() / "net");
  CHECK(own.cmdline == "mine");
}

TEST_CASE("boot: what cannot be booted is refused with advice", "[verify]") {
  const ros::TempDir folder;
  const auto refused = [&](const std::string& name, const std::string& why) {
    BootOptions options;
    CHECK_THROWS_WITH(add_artifact(options, folder.path() / name), Contains(why));
    CHECK(options.disks.empty());
  };
  refused("absent", "no such file");
  fs::create_directories(folder.path() / "empty");
  refused("empty", "the folder has no vmlinuz");
  ros::write_file(folder.path() / "text", "hello");
  refused("text", "neither a bootable disk nor a kernel");
  ros::write_file(folder.path() / "alone/vmlinuz", kernel_bytes());
  refused("alone", "no initrd beside vmlinuz");
  ros::write_file(folder.path() / "wrong/vmlinuz", "text");
  refused("wrong", "not a kernel");
  fs::create_directories(folder.path() / "odd/vmlinuz");
  refused("odd", "not a file");
}

TEST_CASE("boot: the firmware's variables are a copy of our own", "[verify]") {
  if (!fs::exists("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")) {
    WARN("SKIPPED: no OVMF");
    return;
  }
  const ros::TempDir folder;
  BootOptions options{.firmware = BootFirmware::bios};
  add_firmware(options, folder.path());
  CHECK(options.firmware_code.empty());
  options.firmware = BootFirmware::secure_boot;
  add_firmware(options, folder.path());
  CHECK(options.firmware_code == "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd");
  CHECK(options.firmware_vars.parent_path() == folder.path());
  CHECK(ros::read_file(options.firmware_vars) ==
        ros::read_file("/usr/share/OVMF/OVMF_VARS_4M.ms.fd"));
}

TEST_CASE("boot: QEMU boots from every bus and gives its status back", "[verify]") {
  if (!find_program("qemu-system-x86_64")) {
    WARN("SKIPPED: no QEMU");
    return;
  }
  const ros::TempDir folder;
  const fs::path disk = folder.path() / "a disk, with: all.img";
  ros::write_file(disk, boot_sector());
  const auto boot = [&](Bus bus, bool snapshot) {
    const fs::path serial = folder.path() / "serial";
    const auto argv = qemu_command({.kvm = have_kvm(),
                                    .memory_mb = 64,
                                    .processors = 1,
                                    .disks = {{.path = disk, .bus = bus, .boot = true}},
                                    .nic = "none",
                                    .serial = "file:" + serial.string(),
                                    .snapshot = snapshot,
                                    .arguments = {"-device", "isa-debug-exit,iobase=0xf4"}});
    const Exit exit = try_run({.argv = argv});
    INFO(ros::quote(argv) << "\n" << exit.output);
    CHECK(exit.status == 0x15 * 2 + 1);
    CHECK_THAT(ros::read_file(serial), Catch::EndsWith("OK\n"));
  };
  for (const Bus bus :
       {Bus::ide, Bus::ahci, Bus::nvme, Bus::virtio, Bus::virtio_scsi, Bus::pvscsi, Bus::usb})
    boot(bus, bus != Bus::virtio);

  BootOptions options{.kvm = have_kvm(),
                      .memory_mb = 64,
                      .nic = "none",
                      .serial = "null",
                      .arguments = {"-device", "isa-debug-exit,iobase=0xf4"}};
  CHECK(boot_artifact(options, disk) == 0x15 * 2 + 1);
}

TEST_CASE("boot: QEMU takes every device under each firmware", "[verify]") {
  if (!find_program("qemu-system-x86_64") || !fs::exists("/usr/share/OVMF/OVMF_CODE_4M.fd")) {
    WARN("SKIPPED: no QEMU or no OVMF");
    return;
  }
  const ros::TempDir folder;
  ros::write_file(folder.path() / "d.img", std::string(1 << 20, '\0'));
  for (const auto firmware : {BootFirmware::bios, BootFirmware::uefi, BootFirmware::secure_boot}) {
    BootOptions options{.firmware = firmware, .nic = "e1000e", .serial = "null"};
    add_firmware(options, folder.path());
    for (const Bus bus : {Bus::ide, Bus::ahci, Bus::nvme, Bus::virtio, Bus::virtio_scsi,
                          Bus::pvscsi, Bus::usb, Bus::cdrom})
      options.disks.push_back({.path = folder.path() / "d.img", .bus = bus});
    for (const Bus bus :
         {Bus::ide, Bus::ahci, Bus::nvme, Bus::virtio, Bus::virtio_scsi, Bus::pvscsi, Bus::usb})
      options.disks.push_back({.path = folder.path() / "d.img", .bus = bus, .read_only = true});
    // Everything is made, nothing runs.
    options.arguments = {"-S", "-monitor", "stdio"};
    const Exit exit = try_run({.argv = qemu_command(options), .input = "quit\n"});
    INFO(exit.output);
    CHECK(exit.status == 0);
    CHECK_THAT(exit.output, !Contains("warning") && !Contains("doesn't support"));
  }
}
