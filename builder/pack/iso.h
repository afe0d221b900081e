// A hybrid ISO 9660 image (Rock Ridge, volume label RANCHEROS) through the
// locked xorriso: boots from CD and, written to one, from a USB stick, by BIOS
// and UEFI. The ESP is a file of the ISO 9660 file system and a GPT partition at once.
#pragma once

#include <stop_token>
#include <string>

#include "builder/os/toolbox.h"
#include "builder/pack/medium.h"

namespace rosbuild {

struct IsoSpec {
  Medium medium;
  std::string seed;  // every identifier follows from it
};

void write_iso(const IsoSpec& spec, const fs::path& out, const Toolbox& toolbox,
               std::stop_token stop = {});

}  // namespace rosbuild
