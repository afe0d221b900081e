#include "runtime/ros/mounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <charconv>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/process.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

constexpr const char* kMounted = "/run/ros/mounted";  // what this boot has mounted, one a line
constexpr int kDeviceMs = 10'000;                     // a disk on USB needs some seconds
constexpr const char* kSwapFile = "/var/lib/rancher/swap";

// Names of disks that people write without /dev.
bool is_short_name(const std::string& name) {
  for (const char* start : {"sd", "vd", "xvd", "hd", "nvme", "mmcblk", "sr"}) {
    if (name.starts_with(start) && name.find_first_of("/:=") == name.npos) return true;
  }
  return false;
}

bool is_tag(const std::string& device) {
  for (const char* tag : {"LABEL=", "UUID=", "PARTLABEL=", "PARTUUID="}) {
    if (device.starts_with(tag)) return true;
  }
  return false;
}

bool is_there(const MountEntry& entry) {
  boost::system::error_code absent;
  if (is_tag(entry.device)) return try_program({"findfs", entry.device}).status == 0;
  return !entry.device.starts_with("/dev/") || fs::exists(entry.device, absent);
}

bool wait_for_device(const MountEntry& entry) {
  if (is_there(entry)) return true;
  if (entry.has("nofail")) {
    log::info(fmt::format("mounts: {} is not there", entry.device));
    return false;
  }
  announce(fmt::format("rancheros: waiting for {}, which mounts names", entry.device));
  if (wait_for_change("/dev", kDeviceMs, [&] { return is_there(entry); })) return true;
  throw Error{fmt::format("{} is not there", entry.device), Error::Kind::input}.hint(
      "the option nofail lets the box start without it");
}

void make_mount_point(const MountEntry& entry) {
  boost::system::error_code absent;
  if (fs::exists(entry.folder, absent)) return;
  const bool bind = entry.has("bind") || entry.has("rbind");
  if (bind && fs::is_regular_file(entry.device, absent)) {
    write_file(entry.folder, "");
  } else {
    fs::create_directories(entry.folder);
  }
}

// The kernel's NFS wants the address of the server (nfs(5), addr), and the version named: the
// newest that the server speaks is found by asking for each.
std::vector<std::string> nfs_options(const MountEntry& entry) {
  std::string host = entry.device.substr(0, entry.device.find(":/"));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::string options = entry.options;
  if (options.find("addr=") == options.npos) {
    const auto found = words(capture({"getent", "ahosts", host}));
    if (found.empty()) throw Error{fmt::format("no address of {} is known", host)};
    options += ",addr=" + found.front();
  }
  if (options.find("vers=") != options.npos) return {options};
  std::vector<std::string> choices{options + ",vers=4.2", options + ",vers=4.1",
                                   options + ",vers=4.0"};
  if (entry.type == "nfs") choices.push_back(options + ",vers=3,nolock");
  return choices;
}

void mount_one(const MountEntry& entry) {
  if (entry.swap()) {
    const std::string options = entry.options == "sw" ? "defaults" : entry.options;
    run_program({"swapon", "-o", options, entry.device});
    return;
  }
  make_mount_point(entry);
  std::vector<std::string> choices{entry.options};
  if (entry.type == "nfs" || entry.type == "nfs4") choices = nfs_options(entry);
  for (const auto& options : choices) {
    const std::vector<std::string> argv{"mount", "-t",         entry.type,  "-o",
                                        options, entry.device, entry.folder};
    if (&options == &choices.back()) {
      run_program(argv);
    } else if (try_program(argv).status == 0) {
      return;
    }
  }
}

std::optional<MountEntry> read_entry(const Value& item, const Value* defaults,
                                     std::vector<std::string>& problems) {
  MountEntry entry;
  entry.position = item.position();
  std::string* const fields[] = {&entry.device, &entry.folder, &entry.type, &entry.options};
  for (const Value* list : {defaults, &item}) {
    if (!list) continue;
    for (std::size_t i = 0; i < std::min(list->items().size(), std::size(fields)); ++i) {
      if (const auto& text = list->items()[i].text(); !text.empty()) *fields[i] = text;
    }
  }
  if (item.items().size() < 2 || item.items()[1].is_null()) return {};
  if (is_short_name(entry.device)) entry.device = "/dev/" + entry.device;
  if (entry.folder == "swap") entry.type = "swap";
  std::string wrong;
  if (item.items().size() > 6) wrong = "more than the six fields of fstab(5)";
  if (!entry.swap() && !entry.folder.starts_with('/'))
    wrong = entry.folder.empty() || entry.folder == "none"
                ? "the folder is missing: [DEVICE, FOLDER, TYPE, OPTIONS]"
                : fmt::format("the folder {} must begin with /", entry.folder);
  if (entry.device.empty()) wrong = "the device is missing: [DEVICE, FOLDER, TYPE, OPTIONS]";
  if (wrong.empty()) return entry;
  problems.emplace_back(Error{"mounts: " + wrong}.at(entry.position).what());
  return {};
}

// Where nothing could be swapped to: overlay is `/`, whose upper folder is a tmpfs.
bool is_in_memory(const fs::path& folder) {
  struct statfs info = {};
  if (::statfs(folder.c_str(), &info) != 0)
    throw Error::from_errno("cannot read " + folder.string());
  const auto type = static_cast<unsigned long>(info.f_type);
  return type == TMPFS_MAGIC || type == RAMFS_MAGIC || type == OVERLAYFS_SUPER_MAGIC;
}

std::uint64_t bytes_of(const std::string& text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, number);
  const std::string_view unit{stop, static_cast<std::size_t>(end - stop)};
  constexpr std::string_view kUnits = "KMGT";
  const auto power = unit.empty() ? kUnits.npos : kUnits.find(unit.front());
  const bool known =
      unit.empty() || (power != kUnits.npos &&
                       (unit.size() == 1 || unit.substr(1) == "B" || unit.substr(1) == "iB"));
  if (code != std::errc{} || !known)
    throw Error{fmt::format("{} is no size", text), Error::Kind::input}.hint("such as 512M or 2G");
  return unit.empty() ? number : number << (10 * (power + 1));
}

}  // namespace

bool MountEntry::has(std::string_view option) const {
  const auto all = split(options, ',');
  return std::ranges::count(all, option) > 0;
}

bool MountEntry::network() const {
  return type.starts_with("nfs") || has("_netdev") || device.find(":/") != device.npos;
}

std::vector<MountEntry> mounts_of(const Config& config, std::vector<std::string>& problems) {
  std::vector<MountEntry> entries;
  const Value* list = config.find("mounts");
  if (!list) return entries;
  const Value* defaults = config.find("mount_default_fields");
  for (const auto& item : list->items()) {
    if (auto entry = read_entry(item, defaults, problems)) entries.push_back(std::move(*entry));
  }
  return entries;
}

void mount_all(const Config& config, MountStage stage, std::vector<std::string>& problems) {
  const bool network = stage == MountStage::network;
  std::vector<std::string> wrong;
  const auto entries = mounts_of(config, wrong);
  if (!network) problems.insert(problems.end(), wrong.begin(), wrong.end());
  if (entries.empty()) return;
  for (const auto& entry : entries) {
    const std::string name = (entry.swap() ? entry.device : entry.folder) + "\n";
    const std::string done = "\n" + try_read_file(kMounted).value_or("");
    if (entry.network() != network || done.find("\n" + name) != done.npos) continue;
    try {
      if (!wait_for_device(entry)) continue;
      mount_one(entry);
      write_all(open_file(kMounted, O_WRONLY | O_CREAT | O_APPEND, 0644).get(), name);
    } catch (const Error& error) {
      problems.emplace_back(
          Error{fmt::format("mounts: {}", error.what())}.at(entry.position).what());
    } catch (const std::exception& error) {
      problems.emplace_back(Error{fmt::format("mounts: {}: {}", entry.folder, error.what())}
                                .at(entry.position)
                                .what());
    }
  }
}

std::uint64_t swap_size(const Config& config, std::uint64_t memory, std::uint64_t free) {
  const std::string size = config.text("swap.size");
  if (size.empty()) return 0;
  const std::string most = config.text("swap.maxsize");
  const std::uint64_t wanted = size == "auto" ? std::min(memory, free / 4) : bytes_of(size);
  constexpr std::uint64_t kMiB = 1 << 20;
  return (most.empty() ? wanted : std::min(wanted, bytes_of(most))) / kMiB * kMiB;
}

void make_swap(const Config& config, std::vector<std::string>& problems) {
  if (!config.find("swap.size")) return;
  try {
    const fs::path file = config.text("swap.filename", kSwapFile);
    fs::create_directories(file.parent_path());
    if (is_in_memory(file.parent_path()))
      throw Error{fmt::format("{} is in memory: no swap there", file.parent_path().string()),
                  Error::Kind::input}
          .hint("a box that keeps nothing has no disk for it; swap.filename names another place");
    struct sysinfo info = {};
    struct statvfs disk = {};
    ::sysinfo(&info);
    if (::statvfs(file.parent_path().c_str(), &disk) != 0)
      throw Error::from_errno("cannot read " + file.parent_path().string());
    boost::system::error_code absent;
    const auto own = fs::file_size(file, absent);
    const auto size = swap_size(config, std::uint64_t{info.totalram} * info.mem_unit,
                                std::uint64_t{disk.f_bavail} * disk.f_frsize + (absent ? 0 : own));
    const std::string swaps = "\n" + try_read_file("/proc/swaps").value_or("");
    if (size == 0 || swaps.find("\n" + file.string() + " ") != swaps.npos) return;
    const bool make = absent || own != size;
    try {
      if (make) {
        fs::remove(file);
        run_program({"mkswap", "--file", "--size", std::to_string(size), file.string()});
      }
      run_program({"swapon", file.string()});
    } catch (...) {
      if (make) fs::remove(file, absent);
      throw;
    }
  } catch (const std::exception& error) {
    problems.emplace_back(Error{fmt::format("swap: {}", error.what())}
                              .at(config.find("swap.size")->position())
                              .what());
  }
}

}  // namespace ros
