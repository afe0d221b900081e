#include "runtime/init/early_config.h"

#include <fmt/format.h>
#include <sys/mount.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/init/child.h"
#include "runtime/init/console.h"
#include "runtime/init/devices.h"
#include "runtime/init/filesystem.h"
#include "runtime/init/mounts.h"

namespace ros {
namespace {

constexpr const char* kImageConfig = "/usr/share/ros/os-config.yml";
constexpr const char* kBootcmd = "cc.bootcmd";
constexpr unsigned long kOemFlags = MS_RDONLY | MS_NODEV;

bool mount_device(const Device& device, const std::string& type, const char* folder,
                  unsigned long flags, ModuleLoader& modules) {
  const std::string found = type == "auto" ? device.type : type;
  load_file_system(found, modules);
  try {
    fs::create_directories(folder);
    mount_one({device.path, folder, found, flags, ""});
    return true;
  } catch (const std::exception& error) {
    announce_error(fmt::format("{}: {}", device.path, error.what()));
    return false;
  }
}

// Among those that are there already; says nothing when there is none.
bool mount_present(const std::string& spec, const std::string& type, const char* folder,
                   unsigned long flags, ModuleLoader& modules) {
  for (const auto& device : present_devices())
    if (device_matches(device, spec)) return mount_device(device, type, folder, flags, modules);
  return false;
}

// Whether the image's own configuration has anything for this stage. It is
// JSON. The word in another place costs a start of `ros` and nothing else.
bool image_has_early_settings() {
  const std::string text = try_read_file(kImageConfig).value_or("");
  return text.find("\"bootcmd\"") != text.npos || text.find("\"state\"") != text.npos;
}

}  // namespace

Cmdline early_config(const Cmdline& cmdline, const Coldplug& coldplug, ModuleLoader& modules) {
  bool mounted = false;
  if (const std::string oem = cmdline.get("rancher.state.oem_dev"); !oem.empty()) {
    const auto device = wait_for_device(
        [&](const Device& candidate) { return device_matches(candidate, oem); }, coldplug, {});
    if (!device) announce_error(fmt::format("no OEM partition ({}) was found", oem));
    mounted = device && mount_device(*device, cmdline.get("rancher.state.oem_fstype", "auto"),
                                     kOemFolder, kOemFlags, modules);
  }
  if (!mounted && !image_has_early_settings()) return cmdline;
  if (const int status = run({"ros", "early-config"}); status != 0) {
    announce_error(fmt::format("ros early-config ended with status {}", status));
    return cmdline;
  }
  // The command line comes last: of equal keys the later counts.
  return Cmdline{try_read_file(kEarlyConfig).value_or("") +
                 try_read_file("/proc/cmdline").value_or("")};
}

void mount_oem(ModuleLoader& modules) {
  fs::create_directories(kOemFolder);  // the services' containers look into it
  if (fs::is_empty(kOemFolder))
    mount_present("LABEL=RANCHER_OEM", "auto", kOemFolder, kOemFlags, modules);
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
    mount_present(spec, settings.get("rancher.state.boot_fstype", "auto"), "/boot", MS_NOATIME,
                  modules);
}

}  // namespace ros
