// Boots an artifact under QEMU: what `rosbuild boot` does, and the command
// lines that the boot tests use.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

// SeaBIOS (arm64: none at all); OVMF (arm64: AAVMF); the same with Microsoft's keys.
enum class BootFirmware { bios, uefi, secure_boot };
enum class Bus { ide, ahci, nvme, virtio, virtio_scsi, pvscsi, usb, cdrom };

struct BootDisk {
  fs::path path;
  Bus bus = Bus::virtio;
  std::string format;      // QEMU's name; empty: told by detect_format
  bool boot = false;       // tried first
  bool read_only = false;  // implied by cdrom
};

struct BootForward {
  int host = 0;
  int guest = 0;
};

struct BootOptions {
  std::string arch = "amd64";  // or "arm64": QEMU's machine `virt`
  std::string board = {};      // QEMU's name of a machine that has all it has: arguments only
  BootFirmware firmware = BootFirmware::bios;
  bool kvm = false;
  unsigned memory_mb = 1024;
  unsigned processors = 2;
  std::vector<BootDisk> disks = {};
  std::string nic = "virtio-net-pci";      // or "none"
  std::vector<BootForward> forwards = {};  // TCP, from the loopback interface
  fs::path kernel = {};                    // direct boot, with initrd and cmdline
  fs::path initrd = {};
  std::string cmdline = {};
  std::string serial = "mon:stdio";         // QEMU's -serial
  bool snapshot = true;                     // disks are not changed
  fs::path firmware_code = {};              // not bios: see add_firmware
  fs::path firmware_vars = {};              // a private copy, written to
  std::vector<std::string> arguments = {};  // added at the end
};

// The command that boots this; pure, but for disks whose format must be found out.
std::vector<std::string> qemu_command(const BootOptions& options);

// "raw", "vmdk", "qcow2", "vhdx" or "vpc", by content. Throws ros::Error when unreadable.
std::string detect_format(const fs::path& image);
// Adds what an artifact is booted from: an ISO (content) as CD, a disk image, a
// vmlinuz with the initrd beside it, or a folder that has both.
// Throws ros::Error when `path` is none of these.
void add_artifact(BootOptions& options, const fs::path& path);
// Sets code and variables of the installed OVMF or AAVMF; `folder` gets the private copy
// of the variables. Does nothing for bios. Throws ros::Error when not installed.
void add_firmware(BootOptions& options, const fs::path& folder);
// QEMU boots with /dev/kvm, within 2 s; found out once.
bool have_kvm();

// Boots in the foreground, serial console on the terminal; returns QEMU's exit status.
int boot_artifact(BootOptions options, const fs::path& path);

}  // namespace rosbuild
