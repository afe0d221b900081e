// The first starts of a version after an upgrade (docs/upgrade.md). GRUB, which counts them,
// says so with rancher.trial on the command line. Such a version must become ready; otherwise
// the box goes back to the version before, by itself.
#pragma once

#include <string_view>

#include "runtime/base/cmdline.h"

namespace ros {

// On trial, reboots once rancher.ready_within seconds (600 when not given) have passed from here on
// without the system being ready. What came before may have waited for a passphrase.
void watch_trial(const Cmdline& cmdline);

// On trial, leaves the reason for the version that comes next, which is then the one before,
// gives people some seconds to read it, and answers true: reboot. A version that was ready is not
// on trial any more. Never throws.
bool end_trial(std::string_view reason) noexcept;

}  // namespace ros
