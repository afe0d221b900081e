// `ros install`: the system onto a disk, so that it boots from there.
//
// The order is that of safety: everything is checked and shown before anything is touched; the
// boot loader comes last, so that a disk boots whole or not at all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/release.h"
#include "runtime/ros/release_source.h"
#include "runtime/ros/saved_images.h"

namespace ros {

enum class DiskType { gpt, mbr, as_it_is };

// The old installer's types, and ours. Throws Error (kind usage) for one that has no meaning here.
DiskType parse_disk_type(const std::string& name);

struct InstallPlan {
  fs::path disk;  // "/dev/sda"
  DiskType type = DiskType::gpt;
  fs::path state;  // as_it_is: the file system of the state, if it is no partition of `disk`
  Release release;
  std::vector<std::string> append;          // to the kernel's command line
  std::string directory;                    // rancher.state.directory
  std::optional<std::string> cloud_config;  // its text, validated
  SavedImages images;                       // that the box finds at its first boot
  bool kexec = false;                       // loads what was installed (kexec.h)
};

// What a partition is for, wherever it is.
struct InstallTarget {
  fs::path esp;                   // empty: none, so no UEFI
  fs::path boot;                  // RANCHER_BOOT
  fs::path state;                 // RANCHER_STATE
  std::uint64_t core_sector = 0;  // of the disk, where GRUB's core image goes; 0: no BIOS
  std::uint64_t core_room = 0;    // bytes
};

// sfdisk's script for a whole disk.
std::string partition_script(DiskType type, std::uint64_t boot_size);
// The partition `number` of a disk: /dev/sda1, /dev/nvme0n1p1.
fs::path partition_path(const fs::path& disk, int number);

// Throws Error when the disk is in use, too small, or lacks what DiskType::as_it_is needs;
// changes nothing.
void check_disk(const InstallPlan& plan);
// What is on it, for a person to read.
std::string describe_disk(const fs::path& disk);
// Does it. Throws Error; the disk then does not boot.
void install(const InstallPlan& plan, const ReleaseSource& source);

}  // namespace ros
