// File systems and swap of the configuration: `mounts`, entries of fstab(5) as cloud-init's module
// "mounts" takes them, and `swap`, a file that is made when it is not there.
//
// mount(8) and swapon(8) do the work, in the host's mount namespace, where both Dockers take their
// paths; the console gets each folder that it would not see otherwise (services.cpp). A mistake
// costs the entry that it is in.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

struct MountEntry {
  std::string device, folder;  // folder is "none" for swap
  std::string type = "auto", options = "defaults";
  Position position;
  bool has(std::string_view option) const;
  bool swap() const { return type == "swap"; }
  bool network() const;  // needs an address first
  bool operator==(const MountEntry&) const = default;
};

// `mounts`, what an entry leaves out taken from `mount_default_fields`. "sdb" is /dev/sdb; an
// entry without a folder is none. What cannot be meant is added to `problems`.
std::vector<MountEntry> mounts_of(const Config& config, std::vector<std::string>& problems);

enum class MountStage { boot, network };

// Mounts what belongs to the stage and is not mounted yet. A device that is not there is waited for
// some seconds, unless the entry says nofail: then it is passed over. Blocks as long as mount(8)
// does.
void mount_all(const Config& config, MountStage stage, std::vector<std::string>& problems);

// Bytes of the swap file that `swap` asks for, 0 for none: "512M", a number of bytes, or auto,
// which is as much as there is memory. `memory` and `free` (of the disk) in bytes. Throws Error
// (input).
std::uint64_t swap_size(const Config& config, std::uint64_t memory, std::uint64_t free);
// Makes the file when it is not there or of another size, and swaps to it.
void make_swap(const Config& config, std::vector<std::string>& problems);

// Lets the last partition of rancher.resize_device (a disk, or a partition itself) and the file
// system on it take the space behind it: GPT or MBR; ext2, 3, 4, XFS or btrfs; mounted or not.
void grow_configured(const Config& config, std::vector<std::string>& problems);

}  // namespace ros
