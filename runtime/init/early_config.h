// The configuration that counts before the state is there: the kernel command
// line, the image's own, and that of the OEM partition (rancher.state.oem_dev).
//
// init reads no YAML. When there is any to read, `ros early-config` does, and
// answers with words as a command line has them; a plain boot starts no process.
#pragma once

#include "runtime/base/cmdline.h"
#include "runtime/init/coldplug.h"
#include "runtime/init/modules.h"

namespace ros {

inline constexpr const char* kOemFolder = "/usr/share/ros/oem";

// Mounts the OEM partition read-only when rancher.state.oem_dev names one, waiting for
// it, and returns `cmdline` with what else is known.
Cmdline early_config(const Cmdline& cmdline, const Coldplug& coldplug, ModuleLoader& modules);

// Mounts the partition labelled RANCHER_OEM, if it is there by now: for `ros sysinit`.
// Its settings come too late for the state; a box that needs them earlier names it in
// rancher.state.oem_dev, so that all others need not look at every disk first.
void mount_oem(ModuleLoader& modules);

// rancher.modules, bootcmd and rancher.state.script, before the state is looked for.
void run_early_commands(const Cmdline& settings);

// Mounts rancher.state.boot_dev at /boot, unless the medium is there already.
void mount_boot(const Cmdline& settings, ModuleLoader& modules);

}  // namespace ros
