// Starting a version without the firmware and GRUB: the kernel keeps another kernel, its initrd and
// its command line in memory, and init starts them when everything has ended and is unmounted.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/base/release.h"

namespace ros {

// Loads the version that is on the medium, by kexec_file_load(2); the next reboot starts it. Under
// Secure Boot the kernel checks its signature as the firmware would. Throws Error.
void load_kexec(const fs::path& medium, const Release& release,
                const std::vector<std::string>& cmdline);

}  // namespace ros
