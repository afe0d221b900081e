#include "builder/pack/ext4.h"

#include <fmt/format.h>

#include "builder/pack/stream.h"
#include "builder/pack/tar.h"
#include "runtime/base/digest.h"
#include "runtime/base/disk_layout.h"

namespace rosbuild {
namespace {

// As far as a file system grows without its descriptors moving: 1 MiB is set aside for them.
constexpr const char* kGrowsTo = "2T";

}  // namespace

void write_ext4(const Tree& tree, const fs::path& out, const Ext4Spec& spec, const Toolbox& toolbox,
                std::stop_token stop) {
  create_sparse(out.string(), spec.size);
  // The file reads as zeros, so neither mke2fs nor a later kernel need clear the
  // inode tables.
  std::string extended =
      fmt::format("hash_seed={},root_owner=0:0,assume_storage_prezeroed=1,nodiscard",
                  ros::uuid_from(spec.seed + " hash"));
  if (!spec.for_grub) extended += fmt::format(",resize={}", kGrowsTo);
  std::vector<std::string> arguments{"-q", "-F",       "-t", "ext4",
                                     "-b", "4096",     "-I", "256",
                                     "-L", spec.label, "-U", ros::uuid_from(spec.seed + " uuid"),
                                     "-E", extended};
  if (spec.for_grub) {
    const auto& options = ros::boot_ext4_options();
    arguments.insert(arguments.end(), options.begin(), options.end());
  } else {
    // What is chosen by the size now must do for a hundred times of it. The kernel gives what is
    // added the whole percents of the reserve that there is (ext4_update_super), rounded down: of a
    // bare 1 % none.
    arguments.insert(arguments.end(), {"-i", "16384", "-m", "2", "-J",
                                       fmt::format("size={}", spec.size / 4 / ros::kMebibyte)});
  }
  const bool empty = tree.entries().empty();
  if (!empty) arguments.insert(arguments.end(), {"-d", "-"});
  arguments.push_back(out.string());
  arguments.push_back(fmt::format("{}k", spec.size / 1024));
  Command command = toolbox.command("mke2fs", arguments);
  if (!empty) command.feed = [&tree](int fd) { write_tar(tree, fd); };
  run(command, stop);
}

}  // namespace rosbuild
