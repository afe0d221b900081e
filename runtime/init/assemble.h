// Storage that must be put together before its file system shows: md RAID, LUKS,
// LVM, in whatever order they lie on each other.
//
// Members are recognised by their signatures, so RAID and LVM need no flag; a
// LUKS device is asked about only when the configuration says so or when the state
// is named to be on it, since a question holds up the boot.
#pragma once

#include <optional>
#include <string>

#include "runtime/base/cmdline.h"
#include "runtime/init/devices.h"
#include "runtime/init/modules.h"

namespace ros {

// Of which LUKS devices a passphrase is asked for.
enum class Passphrases { none, of_state, all };

// The device that `spec` (see device_matches) names; when it names a member or a
// container, what is in that. Starts mdadm, cryptsetup and vgchange when their
// members are there and the device is not. Throws Error when a container holds
// several volumes, none of them labelled RANCHER_STATE.
std::optional<Device> assemble(const std::string& spec, Passphrases asked, ModuleLoader& modules);

// rancher.state.mdadm_scan and lvm_scan: every array and volume there is, also when
// the state needs none of them.
void scan_members(const Cmdline& settings, const Coldplug& coldplug, ModuleLoader& modules);

// A signature that says "part of something larger": RAID, LUKS, LVM.
bool is_member(const std::string& type);

}  // namespace ros
