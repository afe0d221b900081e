#include "builder/os/toolbox.h"

#include <fmt/format.h>

#include "runtime/base/error.h"

namespace rosbuild {

Toolbox::Toolbox(fs::path root, std::int64_t epoch) : root_(std::move(root)), epoch_(epoch) {}

Command Toolbox::command(const std::string& program, std::vector<std::string> arguments) const {
  for (const char* folder : {"usr/bin", "usr/sbin", "bin", "sbin"}) {
    const fs::path file = root_ / folder / program;
    if (!fs::exists(file)) continue;
    const std::string libraries =
        fmt::format("{0}/usr/lib/x86_64-linux-gnu:{0}/lib/x86_64-linux-gnu", root_.string());
    Command command{.argv = {(root_ / "usr/lib64/ld-linux-x86-64.so.2").string(), "--library-path",
                             libraries, "--argv0", program, file.string()},
                    .env = {{"SOURCE_DATE_EPOCH", std::to_string(epoch_)},
                            {"MKE2FS_CONFIG", (root_ / "etc/mke2fs.conf").string()}}};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    return command;
  }
  throw ros::Error{fmt::format("the locked tools have no program {}", program)}.hint(
      "add its package to `tools:` in recipes/distribution.yaml and run `rosbuild lock --update`");
}

}  // namespace rosbuild
