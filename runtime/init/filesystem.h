// The file systems that a state may be kept on: checking, mounting, growing.
#pragma once

#include <string>
#include <vector>

#include "runtime/init/devices.h"
#include "runtime/init/modules.h"

namespace ros {

// Loads the module of a file system that the kernel does not have. True when it has it then.
bool load_file_system(const std::string& type, ModuleLoader& modules);

// Lets a partition that has space behind it take it (see grow.h). What is no
// partition, or not the last one of its disk (GPT or MBR), stays. Throws Error.
void grow_device(const std::string& path);

// Mends what is safe to mend (ext) and mounts; `type` is mount(8)'s, or "auto".
// Throws Error saying why it cannot be used and what to do.
void mount_checked(const Device& device, std::string type, const std::string& folder,
                   ModuleLoader& modules);

// Bytes that the file system says it fills on its device: ext2, 3, 4, XFS, btrfs.
// 0 for any other. Throws Error when it cannot be read.
std::uint64_t file_system_size(const std::string& path, const std::string& type);

// The command that grows a mounted file system, empty when it fills its device.
std::vector<std::string> growth_command(const Device& device, const std::string& folder);

}  // namespace ros
