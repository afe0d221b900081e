// Debian's prebuilt kernel: its image, the check of its configuration, and the
// modules that the OS carries.
//
// Module lists are text: one pattern a line, '#' comments. A pattern with a
// slash is a glob over paths below kernel/ without the suffix
// ("drivers/net/ethernet/intel/**"); one without is a module name ("virtio_blk").
// "-pattern" takes away what the lines before it chose. "!pattern" says that the
// kernel has nothing of the kind: a line with that pattern in a list that several
// kernels share is then passed over. What chosen modules depend on is always added.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "builder/os/toolbox.h"
#include "builder/os/tree.h"

namespace rosbuild {

struct Kernel {
  std::string version;  // "6.12.57+deb13-amd64"
  Content image;        // vmlinuz, signed
  std::string config;   // text of boot/config-VERSION
};

// From the trees of the kernel section's packages merged into one. Throws
// ros::Error unless there is exactly one kernel.
Kernel read_kernel(const Tree& packages);

// The Raspberry Pis' device trees of the same packages, by file name ("bcm2711-rpi-4-b.dtb").
// Throws ros::Error when there are none.
Tree read_device_trees(const Tree& packages);

// Every option named in `required` (kernel-configs/*.config, text; "CONFIG_X=y"
// asks for built in, "CONFIG_X=m" for built in or a module, "CONFIG_X=\"s\"" for
// the value) must be as asked. Throws one ros::Error listing all that are not.
void check_kernel_config(const Kernel& kernel, const std::string& required,
                         const std::string& required_file);

struct ModuleList {
  std::string text;
  std::string file;  // for messages
};

// Makes the folder `out` with usr/lib/modules/VERSION: the union of the lists
// and what they depend on, decompressed (signatures stay), and the indices made
// by the locked depmod. Throws ros::Error for patterns that match nothing.
void extract_modules(const Tree& packages, const std::vector<ModuleList>& lists,
                     const Toolbox& tools, const fs::path& out, std::stop_token stop = {});

// The tree of such a folder, times `epoch`. The kernel layer is this tree.
Tree read_modules(const fs::path& extracted, std::int64_t epoch);

// The part of `modules` (from read_modules) that `lists` choose, with what it
// depends on and text indices cut down to it; for the early initrd.
Tree select_modules(const Tree& modules, const std::vector<ModuleList>& lists);

}  // namespace rosbuild
