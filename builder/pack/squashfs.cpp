#include "builder/pack/squashfs.h"

#include <fmt/format.h>

#include "builder/pack/tar.h"

namespace rosbuild {

void write_squashfs(const Tree& tree, const fs::path& out, const Toolbox& toolbox,
                    const SquashfsOptions& options, std::stop_token stop) {
  fs::remove(out);  // it would be appended to
  // Times come from SOURCE_DATE_EPOCH and the archive. The root folder is not
  // in the archive, so it is described here.
  Command command = toolbox.command("mksquashfs", {"-",
                                                   out.string(),
                                                   "-tar",
                                                   "-noappend",
                                                   "-no-progress",
                                                   "-quiet",
                                                   "-no-xattrs",
                                                   "-no-exports",
                                                   "-comp",
                                                   options.compressor,
                                                   "-Xcompression-level",
                                                   std::to_string(options.level),
                                                   "-b",
                                                   std::to_string(options.block_size),
                                                   "-processors",
                                                   std::to_string(options.processors),
                                                   "-default-mode",
                                                   "0755",
                                                   "-default-uid",
                                                   "0",
                                                   "-default-gid",
                                                   "0",
                                                   "-root-mode",
                                                   "0755",
                                                   "-root-uid",
                                                   "0",
                                                   "-root-gid",
                                                   "0",
                                                   "-root-time",
                                                   std::to_string(toolbox.epoch())});
  command.feed = [&tree](int fd) { write_tar(tree, fd); };
  run(command, stop);
}

}  // namespace rosbuild
