// streamOptimized VMDK -> OVA (DMTF DSP0243, OVF 1.1): a tar archive of the
// descriptor NAME.ovf, its manifest NAME.mf and the disk, in this order, as what
// reads it while it arrives needs them.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

struct OvaSpec {
  std::string name;     // "rancheros": of the files inside, and of the machine
  std::string title;    // "RancherOS"
  std::string version;  // "2.0.0"
  fs::path vmdk;
  std::string vmdk_sha256;
  std::uint64_t capacity = 0;  // of the disk, bytes
};

// The machine: two processors, 2 GiB of memory, BIOS, the disk on a paravirtual
// SCSI controller, one vmxnet3 card. Throws ros::Error.
void write_ova(const OvaSpec& spec, const fs::path& out, std::stop_token stop = {});

}  // namespace rosbuild
