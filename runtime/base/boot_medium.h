// The disk that a box was booted from: RANCHER_BOOT, mounted read-only at kMediumFolder but for
// the moments in which somebody changes it.
#pragma once

#include "runtime/base/boot_state.h"
#include "runtime/base/file.h"

namespace ros {

inline constexpr const char* kMediumFolder = "/run/ros/medium";  // what was booted from

// Writable while it lives; one at a time, others wait. A folder that is no mount point stays as
// it is.
class WritableMedium {
 public:
  explicit WritableMedium(fs::path folder);  // throws Error
  ~WritableMedium();
  WritableMedium(const WritableMedium&) = delete;
  WritableMedium& operator=(const WritableMedium&) = delete;

  const fs::path& folder() const noexcept { return folder_; }
  // GRUB reads ext4 without its journal: returns when everything written so far is in its
  // place and not only there. Throws Error.
  void flush();
  // Overwrites the block in place: one sector, which GRUB sees before or after, never half.
  // Throws Error.
  void save(const BootState& state);

 private:
  void remount(bool writable);

  fs::path folder_;
  FileLock lock_;
  bool mounted_ = false;
};

BootState load_boot_state(const fs::path& folder = kMediumFolder);  // nothing there: all empty

}  // namespace ros
