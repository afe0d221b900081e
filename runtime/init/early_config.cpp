#include "runtime/init/early_config.h"

#include <fmt/format.h>
#include <sys/mount.h>

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/init/child.h"
#include "runtime/init/console.h"
#include "runtime/init/devices.h"
#include "runtime/init/mounts.h"

namespace ros {
namespace {

constexpr const char* kImageConfig = "/usr/share/ros/os-config.yml";
constexpr const char* kBootcmd = "cc.bootcmd";

bool mount_named(const std::string& spec, std::string type, const char* folder,
                 unsigned long flags, ModuleLoader& modules) {
  for (const auto& device : present_devices()) {
    if (!device_matches(device, spec)) continue;
    if (type == "auto") type = device.type;
    const auto known = words(try_read_file("/proc/filesystems").value_or(""));
    if (std::ranges::count(known, type) == 0) modules.load(type);
    try {
      fs::create_directories(folder);
      mount_one({device.path, folder, type, flags, ""});
      return true;
    } catch (const std::exception& error) {
      announce_error(fmt::format("{} ({}): {}", device.path, spec, error.what()));
      return false;
    }
  }
  return false;
}

// Whether the image's own configuration has anything for this stage. A word in a
// comment costs a start of `ros` and nothing else.
bool image_has_early_settings() {
  const std::string text = try_read_file(kImageConfig).value_or("");
  return text.find("bootcmd:") != text.npos || text.find("  state:") != text.npos;
}

}  // namespace

Cmdline early_config(const Cmdline& cmdline, ModuleLoader& modules) {
  const std::string oem = cmdline.get("rancher.state.oem_dev", "LABEL=RANCHER_OEM");
  const bool mounted = !oem.empty() && mount_named(oem, cmdline.get("rancher.state.oem_fstype", "auto"),
                                                   kOemFolder, MS_RDONLY | MS_NODEV, modules);
  if (!mounted && !image_has_early_settings()) return cmdline;
  if (const int status = run({"ros", "early-config"}); status != 0) {
    announce_error(fmt::format("ros early-config ended with status {}", status));
    return cmdline;
  }
  std::vector<std::string> known;
  for (auto& word : split(try_read_file(kEarlyConfig).value_or(""), '\0'))
    if (!word.empty()) known.emplace_back(word);
  return Cmdline{try_read_file("/proc/cmdline").value_or(""), known};
}

void run_early_commands(const Cmdline& settings) {
  const auto report = [](std::string_view what, int status) {
    if (status != 0) announce_error(fmt::format("{} ended with status {}", what, status));
  };
  for (const auto& entry : settings.list("rancher.modules")) {
    std::vector<std::string> argv{"modprobe", "--"};
    for (auto& word : words(entry)) argv.emplace_back(word);
    report("modprobe " + entry, run(argv));
  }
  if (settings.has(kBootcmd)) report("bootcmd", run({"ros", "bootcmd"}));
  if (const auto script = settings.get("rancher.state.script"); !script.empty())
    report("rancher.state.script", run({"sh", "-c", script}));
}

void mount_boot(const Cmdline& settings, ModuleLoader& modules) {
  const std::string asked = settings.get("rancher.state.boot_dev");
  boost::system::error_code ignored;
  if (asked.empty() && !fs::is_empty("/boot", ignored)) return;
  const std::string spec = settings.get("rancher.state.boot_dev", "LABEL=RANCHER_BOOT");
  if (!spec.empty())
    mount_named(spec, settings.get("rancher.state.boot_fstype", "auto"), "/boot", MS_NOATIME, modules);
}

}  // namespace ros
