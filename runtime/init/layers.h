// The layers of this boot: finding their files, checking them against the
// manifest of the initramfs, and laying them over each other.
#pragma once

#include <cstdint>
#include <future>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/boot_medium.h"
#include "runtime/init/coldplug.h"

namespace ros {

struct LayerFile {
  std::string name;  // "base"
  std::string file;  // "base-0123456789abcdef.squashfs"
  std::uint64_t size = 0;
  std::string sha256;
};

// /manifest of the initramfs, one fact a line:
//   version X | platform P | layer NAME FILE SIZE SHA256   (bottom to top)
struct Manifest {
  std::string version, platform;
  std::vector<LayerFile> layers;
};

Manifest parse_manifest(std::string_view text);  // throws Error with the line's number

inline constexpr const char* kLayersFolder = "/run/ros/layers";  // each mounted at NAME
inline constexpr const char* kMemoryFolder = "/run/ros/memory";  // a tmpfs: the root's upperdir

// The folder with the files: "/layers" in the initramfs, or that of the first
// medium (label RANCHER_BOOT, RANCHEROS or RANCHER_PI) that has them all; it is then mounted
// at kMediumFolder, read-only. Throws Error saying where was looked.
fs::path find_layers(const Manifest& manifest, const Coldplug& coldplug, ModuleLoader& modules);

// Compares the SHA-256 of every file from its making on, the largest after the others, which
// are read side by side. The files stay open: what they are reached by may change.
class LayerCheck {
 public:
  LayerCheck(const Manifest& manifest, const fs::path& folder);
  // Waits for all but the largest, the engines', which takes as long as the others together
  // and whose programs come last. Throws Error naming all that differ.
  void wait_for_small() { wait(false); }
  // Waits for all; to be called before the engines make anything that lasts.
  void finish() { wait(true); }

 private:
  struct Pending {
    std::string name, file, sha256;
    bool largest = false;
    std::shared_future<std::string> digest;  // or the exception of reading it
  };
  void wait(bool all);
  std::vector<Pending> pending_;
};

// Mounts each layer, and at `root` the overlay of all of them.
void mount_layers(const Manifest& manifest, const fs::path& folder, const fs::path& root);

}  // namespace ros
