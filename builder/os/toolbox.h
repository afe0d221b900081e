// The programs that write bytes into artifacts (mksquashfs, mke2fs, xorriso,
// grub-mkimage …), out of locked packages and never the host's, so
// that the host's versions cannot change a byte. They run through the dynamic
// loader and libraries they were locked with.
#pragma once

#include <string>
#include <vector>

#include "builder/os/process.h"

namespace rosbuild {

class Toolbox {
 public:
  // `root`: the unpacked packages (a cache entry). `epoch` becomes SOURCE_DATE_EPOCH.
  Toolbox(fs::path root, std::int64_t epoch);

  // A command that runs `program` (found in usr/bin, usr/sbin, bin or sbin of the
  // root) with these arguments. Throws ros::Error when the packages lack it.
  Command command(const std::string& program, std::vector<std::string> arguments) const;
  // A data file of the packages: path("usr/lib/grub/i386-pc").
  fs::path path(const std::string& relative) const { return root_ / relative; }
  std::int64_t epoch() const { return epoch_; }

 private:
  fs::path root_;
  std::int64_t epoch_;
};

}  // namespace rosbuild
