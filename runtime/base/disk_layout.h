// The numbers of an installed disk, for those who make one: the builder (images) and
// `ros install`.
//
//   1 BIOS boot  1 MiB   GRUB's core image; an MBR disk has it between table and first partition
//   2 ESP       64 MiB   FAT: shim, GRUB
//   3 RANCHER_BOOT       ext4: the medium, with room for two versions
//   4 RANCHER_STATE      ext4, to the end
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ros {

// File system labels by which GRUB and init find what they need.
inline constexpr const char* kBootLabel = "RANCHER_BOOT";
inline constexpr const char* kStateLabel = "RANCHER_STATE";
inline constexpr const char* kIsoLabel = "RANCHEROS";
// RANCHER_BOOT of a Raspberry Pi's card, which is FAT, where labels have 11 letters at most.
inline constexpr const char* kPiLabel = "RANCHER_PI";

// What the kernel is told on a disk, beyond what it is told everywhere.
inline constexpr const char* kDiskCmdline =
    "rancher.state.dev=LABEL=RANCHER_STATE rancher.state.wait";

// GUIDs of partition types (UEFI specification 2.10, section 5.3; GRUB manual, "BIOS
// installation"; the Discoverable Partitions Specification).
inline constexpr const char* kBiosBootType = "21686148-6449-6E6F-744E-656564454649";
inline constexpr const char* kEspType = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";
inline constexpr const char* kLinuxType = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";

// Bytes.
inline constexpr std::uint64_t kSectorSize = 512;
inline constexpr std::uint64_t kMebibyte = 1024 * 1024;
inline constexpr std::uint64_t kDiskHead = kMebibyte;  // the table, and alignment of the rest
inline constexpr std::uint64_t kDiskTail = kMebibyte;  // the table's copy
inline constexpr std::uint64_t kBiosBootSize = kMebibyte;
inline constexpr std::uint64_t kEspSize = 64 * kMebibyte;
inline constexpr std::uint64_t kLeastStateSize = 64 * kMebibyte;

// Of RANCHER_BOOT, when one version takes `content` bytes: room for two versions and for what
// ext4 needs itself. Whole MiB.
std::uint64_t boot_partition_size(std::uint64_t content);
// Of a disk whose RANCHER_BOOT has `boot` bytes.
std::uint64_t least_disk(std::uint64_t boot);

// mke2fs' options for RANCHER_BOOT: few large files of root's, and only features that GRUB reads.
const std::vector<std::string>& boot_ext4_options();

// "EFI/debian/grub.cfg" of the ESP, where Debian's signed GRUB looks for its configuration, and
// what it says there: the configuration is on the medium with this label.
inline constexpr const char* kSignedConfig = "EFI/debian/grub.cfg";
std::string signed_config(const std::string& label);

// What GRUB's BIOS loader has to know: the core image, which is `core`, lies at `sector`, and
// the rest of it behind its first sector (include/grub/i386/pc/boot.h of GRUB: kernel sector in
// boot.img, first block list in diskboot.img). Both are whole sectors.
void place_core(std::string& boot_sector, std::string& core, std::uint64_t sector);
inline constexpr std::size_t kBootCodeSize = 440;  // disk signature and partitions follow

}  // namespace ros
