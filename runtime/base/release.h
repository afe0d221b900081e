// A release: one version of the system as a list of files with sizes and digests.
//
// The same text is `index` of a folder of releases (one block a version, the newest
// last) and VERSION/release on a medium. Paths are the same everywhere:
//
//   version 2.0.0
//   arch arm64                                                       absent: amd64
//   platform amd64
//   title RancherOS
//   cmdline console=tty1 panic=10 …
//   file kernel 2.0.0/vmlinuz SIZE SHA256                            or 2.0.0/kernel.squashfs
//   file initrd 2.0.0/initrd SIZE SHA256
//   file layer layers/base-0123456789abcdef.squashfs SIZE SHA256     bottom to top
//   file loader loader/core-0123456789abcdef.img SIZE SHA256         for new disks only
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ros {

// The kernel's name in VERSION/: itself, or a squashfs that has it under that name, out of which
// GRUB loads it.
inline constexpr const char* kKernelFile = "vmlinuz";
inline constexpr const char* kPackedKernelFile = "kernel.squashfs";

// A signature of an index is one of OpenSSH (PROTOCOL.sshsig) with this namespace, in this file.
inline constexpr const char* kIndexNamespace = "rancheros-release";
inline constexpr const char* kIndexSignature = "index.sig";

#if defined(__aarch64__)
inline constexpr const char* kOwnArch = "arm64";
#else
inline constexpr const char* kOwnArch = "amd64";
#endif

struct ReleaseFile {
  std::string role;  // "kernel", "initrd", "layer", "loader"
  std::string path;  // relative, in the folder that its role says
  std::uint64_t size = 0;
  std::string sha256;
  bool operator==(const ReleaseFile&) const = default;
};

struct Release {
  std::string version, arch = "amd64", platform, title;
  std::vector<std::string> cmdline;  // of the kernel, on a disk
  std::vector<ReleaseFile> files;
  bool operator==(const Release&) const = default;
};

std::string to_text(const Release& release);
// The file with this role. Throws Error when there is none.
const std::string& kernel_path(const Release& release);
// Throws Error when this program's machines cannot run it.
void check_arch(const Release& release);

// Every block, in order. Throws Error with the place of what is wrong in `file`: nothing that
// parses names a file outside of its folder, a version or a file twice, or lacks kernel,
// initrd or layers. Comes from the network: whatever `text` holds is safe to read.
std::vector<Release> parse_releases(std::string_view text, const std::string& file);

// May name a folder of a medium: letters, digits and ".+~-_", at most 64 of them.
bool is_version(std::string_view text);
// SHA-256 as it is written everywhere: 64 digits, in lower case.
bool is_digest(std::string_view text);

}  // namespace ros
