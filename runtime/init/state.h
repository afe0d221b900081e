// RANCHER_STATE, the one file system that outlives a boot: finding, formatting,
// checking, growing and mounting it, and laying its folders into the root.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/cmdline.h"
#include "runtime/init/coldplug.h"

namespace ros {

// What became of the state, for `ros os status`: "DEVICE TYPE" or "memory REASON".
inline constexpr const char* kStateReport = "/run/ros/state";
inline constexpr const char* kStateFolder = "/state";

// What became of it.
struct State {
  std::string device;                    // "" when the system runs from memory
  std::vector<std::string> growth = {};  // a command that makes the file system fill its device
};

// Follows rancher.state.{dev,wait,autoformat,required,directory,fstype,cryptsetup}; puts
// RAID and LVM together when members are there. With rancher.recovery nothing is
// formatted. Without
// a state that can be used it says so on the consoles and uses memory. Afterwards
// /home, /opt, /var/lib/{rancher,docker,system-docker} and /var/log are there
// to be written. Throws Error only when rancher.state.required says so.
State set_up_state(const Cmdline& cmdline, const Coldplug& coldplug, ModuleLoader& modules);

// Where a disk has its first byte that is not zero, in its first and last MiB;
// -1 when there is none. Throws Error when it cannot be read.
long long first_byte_used(const fs::path& disk);

}  // namespace ros
