#include "runtime/init/assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "runtime/base/disk_layout.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/init/child.h"
#include "runtime/init/console.h"
#include "runtime/init/filesystem.h"
#include "runtime/init/passphrase.h"

namespace ros {
namespace {

constexpr int kTries = 3;
constexpr const char* kLuks = "crypto_LUKS";
constexpr const char* kLvm = "LVM2_member";

bool is_raid(const Device& device) { return device.type.ends_with("_raid_member"); }

// Kernel names of what lies on a device: md127, dm-0.
std::vector<std::string> holders(const Device& device) {
  std::vector<std::string> names;
  boost::system::error_code none;
  const fs::path folder = "/sys/class/block/" + fs::path{device.path}.filename().string();
  for (fs::directory_iterator it{folder / "holders", none}, end; !none && it != end;
       it.increment(none))
    names.push_back(it->path().filename().string());
  std::ranges::sort(names);
  return names;
}

void report(const char* program, int status) {
  if (status != 0) announce_error(fmt::format("state: {} ended with status {}", program, status));
}

void assemble_raid(ModuleLoader& modules) {
  modules.load("md_mod");
  // --run: a mirror that lost a disk is what mirrors are for.
  report("mdadm", run({"mdadm", "--assemble", "--scan", "--run"}));
}

void activate_lvm(ModuleLoader& modules) {
  modules.load("dm_mod");
  report("vgchange", run({"lvm", "vgchange", "--activate", "y", "--sysinit"}));
}

class Assembly {
 public:
  Assembly(Passphrases asked, ModuleLoader& modules) : asked_{asked}, modules_{modules} {}

  // Does the next thing there is to do; false when there is none. What failed for
  // a set of members is not tried again for the same set, so this comes to an end.
  bool step(const std::vector<Device>& devices, const Device* wanted) {
    std::vector<std::string> raid, lvm;
    std::vector<Device> luks;
    for (const auto& device : devices) {
      if (!is_member(device.type) || !holders(device).empty()) continue;
      if (is_raid(device)) raid.push_back(device.path);
      if (device.type == kLvm) lvm.push_back(device.path);
      const bool asked = asked_ == Passphrases::all ||
                         (asked_ == Passphrases::of_state && wanted && wanted->path == device.path);
      if (device.type == kLuks && asked) luks.push_back(device);
    }
    if (first_time("raid", raid)) {
      assemble_raid(modules_);
      return true;
    }
    if (first_time("lvm", lvm)) {
      activate_lvm(modules_);
      return true;
    }
    for (const auto& device : luks)
      if (first_time("luks", {device.path})) {
        open_luks(device);
        return true;
      }
    return false;
  }

 private:
  bool first_time(const std::string& what, const std::vector<std::string>& members) {
    return !members.empty() && tried_.insert(what + " " + join(members, " ")).second;
  }

  void open_luks(const Device& device) {
    modules_.load("dm_mod");
    modules_.load("dm_crypt");
    try {
      grow_device(device.path);  // while nobody uses it
    } catch (const std::exception& error) {
      announce_error(fmt::format("state: {} does not grow: {}", device.path, error.what()));
    }
    const std::string name = "luks-" + fs::path{device.path}.filename().string();
    PassphrasePrompt prompt;
    for (int i = 0; i < kTries; ++i) {
      const auto passphrase = prompt.ask(
          fmt::format("{} is encrypted. Passphrase (Enter alone: go on without it):", device.path));
      if (passphrase.empty()) break;
      // As a key file, which is taken to its last byte, with no terminal in between.
      if (run_with_input(
              {"cryptsetup", "open", "--type", "luks", "--key-file=-", device.path, name},
              passphrase) == 0)
        return;
      announce_error(fmt::format("the passphrase does not open {}", device.path));
    }
    announce_error(fmt::format("state: {} stays locked", device.path));
  }

  Passphrases asked_;
  ModuleLoader& modules_;
  std::set<std::string> tried_;
};

// By the name that people know; the node is there when libdevmapper made it.
Device named(Device device) {
  const std::string name = fs::path{device.path}.filename().string();
  const auto mapped = try_read_file("/sys/class/block/" + name + "/dm/name");
  if (!mapped) return device;
  const std::string path = "/dev/mapper/" + std::string{trim(*mapped)};
  if (fs::exists(path)) device.path = path;
  return device;
}

// The one that lies on `container`, as far as it is clear which.
const Device* content_of(const Device& container, const std::vector<Device>& devices) {
  std::vector<const Device*> all;
  for (const auto& name : holders(container))
    for (const auto& device : devices)
      if (device.path == "/dev/" + name) all.push_back(&device);
  if (all.size() <= 1) return all.empty() ? nullptr : all.front();
  for (const Device* device : all)
    if (device->label == kStateLabel) return device;
  throw Error{fmt::format("{} holds {} volumes, none of them labelled {}", container.path,
                          all.size(), kStateLabel)}
      .hint("name one in rancher.state.dev");
}

}  // namespace

bool is_member(const std::string& type) {
  return type == kLuks || type == kLvm || type.ends_with("_raid_member");
}

void scan_members(const Cmdline& settings, const Coldplug& coldplug, ModuleLoader& modules) {
  const bool raid = settings.flag("rancher.state.mdadm_scan");
  const bool lvm = settings.flag("rancher.state.lvm_scan");
  if (!raid && !lvm) return;
  coldplug.wait();
  if (raid) assemble_raid(modules);
  if (lvm) activate_lvm(modules);
}

std::optional<Device> assemble(const std::string& spec, Passphrases asked, ModuleLoader& modules) {
  Assembly assembly{asked, modules};
  for (;;) {
    const auto devices = present_devices();
    const Device* found = nullptr;
    for (const auto& device : devices)
      if (device_matches(device, spec) && (!found || is_member(found->type))) found = &device;
    for (std::size_t depth = 0; found && is_member(found->type) && depth < devices.size();
         ++depth) {
      const Device* content = content_of(*found, devices);
      if (!content) break;
      found = content;
    }
    if (found && !is_member(found->type)) return named(*found);
    if (!assembly.step(devices, found)) return {};
  }
}

}  // namespace ros
