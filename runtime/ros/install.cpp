#include "runtime/ros/install.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "runtime/base/boot_state.h"
#include "runtime/base/digest.h"
#include "runtime/base/disk_layout.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/kexec.h"
#include "runtime/ros/process.h"
#include "runtime/ros/udev.h"
#include "runtime/ros/upgrade.h"

namespace ros {
namespace {

constexpr const char* kWorkFolder = "/run/ros/install";
constexpr std::uint64_t kMbrCoreSector = 1;  // behind the table, before the first partition
constexpr std::uint64_t kMbrCoreRoom = kDiskHead - kMbrCoreSector * kSectorSize;

void say(const std::string& line) { fmt::print(stderr, "{}\n", line); }

// A mounted file system; mount(8) loads what its type needs.
class Mounted {
 public:
  Mounted(const fs::path& device, const std::string& name, const std::string& options = "rw")
      : folder_(fs::path{kWorkFolder} / name) {
    fs::create_directories(folder_);
    run_program({"mount", "-o", options, device.string(), folder_.string()});
  }
  ~Mounted() {
    if (!folder_.empty()) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;
  const fs::path& folder() const { return folder_; }
  // Throws Error when something could not be written: only then it is known.
  void finish() {
    const Fd fd = open_file(folder_.string(), O_RDONLY | O_DIRECTORY);
    if (::syncfs(fd.get()) != 0) throw Error::from_errno("cannot write to the disk");
  }

 private:
  fs::path folder_;
};

Fd open_disk(const fs::path& disk, int flags) {
  Fd fd = open_file(disk.string(), flags);
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0 || !S_ISBLK(info.st_mode))
    throw Error{disk.string() + " is no disk", Error::Kind::usage}.hint("`lsblk` lists them");
  return fd;
}

std::uint64_t disk_size(const fs::path& disk) {
  const Fd fd = open_disk(disk, O_RDONLY);
  std::uint64_t size = 0;
  if (::ioctl(fd.get(), BLKGETSIZE64, &size) != 0)
    throw Error::from_errno("cannot measure " + disk.string());
  return size;
}

std::uint64_t content_size(const Release& release) {
  std::uint64_t size = 0;
  for (const auto& file : release.files) size += file.size;
  return size;
}

void write_bytes(const fs::path& disk, std::uint64_t offset, std::string_view bytes) {
  const Fd fd = open_disk(disk, O_RDWR);
  const auto size = static_cast<ssize_t>(bytes.size());
  if (::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) != size ||
      ::fsync(fd.get()) != 0)
    throw Error::from_errno("cannot write to " + disk.string());
  ::posix_fadvise(fd.get(), static_cast<off_t>(offset), size, POSIX_FADV_DONTNEED);
  if (read_at(fd.get(), offset, bytes.size()) != bytes)
    throw Error{disk.string() + " does not keep what is written to it"};
}

bool boots_by_bios(const Release& release) { return release.arch == "amd64"; }

// --- partitions that are there already --------------------------------------------------

using Facts = std::map<std::string, std::string>;

// What blkid(8) finds on a partition itself. What udev knows may be older than that.
Facts probe_partition(const fs::path& partition) {
  const auto [status, output] =
      capture_bounded({"blkid", "--probe", "--output", "export", partition.string()}, {}, 1 << 16);
  Facts facts;
  for (const auto& line : split(output, '\n'))
    if (const auto equals = line.find('='); equals != line.npos)
      facts[line.substr(0, equals)] = line.substr(equals + 1);
  return facts;
}

std::uint64_t number_of(const Facts& facts, const char* name) {
  const auto found = facts.find(name);
  std::uint64_t value = 0;
  if (found != facts.end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return value;
}

std::vector<fs::path> partitions_of(const fs::path& disk) {
  std::vector<fs::path> found;
  for (const auto& entry :
       fs::directory_iterator("/sys/class/block" / fs::canonical(disk).filename()))
    if (fs::exists(entry.path() / "partition")) found.push_back("/dev" / entry.path().filename());
  return found;
}

// `state` is empty, or the file system of the state where that is no partition of `disk`.
InstallTarget find_target(const fs::path& disk, const fs::path& state) {
  InstallTarget target;
  bool mbr = false;
  std::uint64_t first = ~std::uint64_t{0};
  for (const auto& path : partitions_of(disk)) {
    Facts facts = probe_partition(path);
    std::string type = facts["PART_ENTRY_TYPE"];
    for (char& c : type) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    mbr = mbr || facts["PART_ENTRY_SCHEME"] == "dos";
    first = std::min(first, number_of(facts, "PART_ENTRY_OFFSET"));
    if (type == kEspType || type == "0XEF") target.esp = path;
    if (type == kBiosBootType) {
      target.core_sector = number_of(facts, "PART_ENTRY_OFFSET");
      target.core_room = number_of(facts, "PART_ENTRY_SIZE") * kSectorSize;
    }
    if (facts["LABEL"] == kStateLabel && state.empty()) target.state = path;
    if (facts["LABEL"] != kBootLabel) continue;
    target.boot = path;
    if (facts["TYPE"] != "ext4")
      throw Error{path.string() + " is not ext4, which GRUB and init need there"};
  }
  if (!state.empty()) {
    if (probe_partition(state)["LABEL"] != kStateLabel)
      throw Error{state.string() + " has no file system labelled RANCHER_STATE"}.hint(
          "e2label " + state.string() + " RANCHER_STATE, when it is the right one");
    target.state = state;
  }
  if (mbr && first >= kDiskHead / kSectorSize) {
    target.core_sector = kMbrCoreSector;
    target.core_room = kMbrCoreRoom;
  }
  const auto lacks = [&](const std::string& what) {
    return Error{fmt::format("{} has {}", disk.string(), what)}.hint(
        "-t noformat needs ext4 file systems labelled RANCHER_BOOT and RANCHER_STATE, and an EFI "
        "system partition or, for BIOS, a BIOS boot partition (GPT) or 1 MiB before the first "
        "(MBR)");
  };
  if (target.boot.empty()) throw lacks("no partition labelled RANCHER_BOOT");
  if (target.state.empty()) throw lacks("no partition labelled RANCHER_STATE");
  if (target.esp.empty() && target.core_sector == 0) throw lacks("no place for a boot loader");
  return target;
}

// --- a whole disk ------------------------------------------------------------------------

// Whatever tells the old content from none: the tables at both ends, and signatures.
void wipe_ends(const fs::path& disk, std::uint64_t size) {
  const std::string zeros(kMebibyte, '\0');
  write_bytes(disk, 0, zeros);
  write_bytes(disk, size - zeros.size(), zeros);
}

InstallTarget make_partitions(const InstallPlan& plan) {
  say("partitioning " + plan.disk.string());
  const bool gpt = plan.type == DiskType::gpt;
  wipe_ends(plan.disk, disk_size(plan.disk));
  // udev, too, looks at a disk only under its lock.
  run_program({"sfdisk", "--quiet", "--lock=yes", "--wipe", "always", "--wipe-partitions", "always",
               plan.disk.string()},
              partition_script(plan.type, boot_partition_size(content_size(plan.release))));
  settle_udev();
  const int first = gpt ? 2 : 1;  // behind the BIOS boot partition
  InstallTarget target{.esp = partition_path(plan.disk, first),
                       .boot = partition_path(plan.disk, first + 1),
                       .state = partition_path(plan.disk, first + 2)};
  if (boots_by_bios(plan.release)) {
    target.core_sector = gpt ? kDiskHead / kSectorSize : kMbrCoreSector;
    target.core_room = gpt ? kBiosBootSize : kMbrCoreRoom;
  }
  for (const auto& path : {target.esp, target.boot, target.state})
    if (!fs::exists(path)) throw Error{path.string() + " did not appear"};
  run_program({"mkfs.fat", "-F", "32", "-n", "ESP", target.esp.string()});
  std::vector<std::string> boot{"mke2fs", "-q", "-F", "-t", "ext4", "-L", kBootLabel};
  boot.insert(boot.end(), boot_ext4_options().begin(), boot_ext4_options().end());
  boot.push_back(target.boot.string());
  run_program(boot);
  run_program(
      {"mke2fs", "-q", "-F", "-t", "ext4", "-m", "1", "-L", kStateLabel, target.state.string()});
  return target;
}

// --- what goes where ---------------------------------------------------------------------

std::vector<std::string> append_of(const InstallPlan& plan) {
  auto append = plan.append;
  if (!plan.directory.empty()) append.push_back("rancher.state.directory=" + plan.directory);
  return append;
}

void write_medium(const InstallPlan& plan, const ReleaseSource& source, const fs::path& device) {
  Mounted boot{device, "boot"};
  const fs::path& root = boot.folder();
  for (const auto& file : plan.release.files) {
    if (is_intact(root / file.path, file)) continue;
    say(fmt::format("writing {} ({})", file.path, human_size(file.size)));
    source.fetch(file, root / file.path);
  }
  describe_version(root, plan.release, append_of(plan));
  const std::string& version = plan.release.version;
  write_file_atomically(root / kBootStateFile, to_block({.current = version}));
  write_file_atomically(root / "grub/grub.cfg",
                        grub_config(plan.release.title, kBootLabel, version));
  boot.finish();
}

void write_state(const InstallPlan& plan, const fs::path& device) {
  if (!plan.cloud_config && plan.images.empty()) return;
  Mounted state{device, "state"};
  const fs::path root = state.folder() / plan.directory;
  if (plan.cloud_config) {
    const fs::path conf = root / kConfigFolder;
    fs::create_directories(conf / "cloud-config.d");
    fs::permissions(conf, fs::owner_all);
    write_file_atomically(conf / "cloud-config.d/user_config.yml", *plan.cloud_config, 0600);
  }
  if (!plan.images.empty()) {
    say("saving images");
    save_images(plan.images, root);
  }
  state.finish();
}

fs::path loader_file(const Release& release, const std::string& stem) {
  for (const auto& file : release.files)
    if (file.role == "loader" && file.path.starts_with("loader/" + stem + "-")) return file.path;
  throw Error{fmt::format("version {} has no {} for a boot loader", release.version, stem)};
}

void copy_into(const fs::path& from, const fs::path& to) {
  const std::string bytes = read_file(from);
  write_file_atomically(to, bytes, 0755);
}

// shim comes last: without it firmware finds nothing to start.
void write_esp(const InstallPlan& plan, const InstallTarget& target) {
  Mounted boot{target.boot, "boot", "ro"};
  Mounted image{boot.folder() / loader_file(plan.release, "esp"), "esp-image", "ro,loop"};
  Mounted esp{target.esp, "esp"};
  const fs::path config = esp.folder() / kSignedConfig;
  const std::string wanted = signed_config(kBootLabel);
  if (const auto there = try_read_file(config); there && *there != wanted)
    throw Error{"the EFI system partition holds another system's EFI/debian/grub.cfg"}.hint(
        "this GRUB reads the same file; give RANCHER_BOOT a disk with a partition of its own");
  write_file_atomically(config, wanted, 0755);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(image.folder() / "EFI/BOOT"))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names, std::greater{});  // mmx64.efi, grubx64.efi, BOOTX64.EFI
  for (const auto& name : names)
    copy_into(image.folder() / "EFI/BOOT" / name, esp.folder() / "EFI/BOOT" / name);
  esp.finish();
}

void load_installed(const InstallPlan& plan, const fs::path& device) {
  const Mounted boot{device, "boot", "ro"};
  load_kexec(boot.folder(), plan.release, whole_cmdline(plan.release, append_of(plan)));
}

void write_bios_loader(const InstallPlan& plan, const InstallTarget& target) {
  std::string sector, core;
  {
    Mounted boot{target.boot, "boot", "ro"};
    sector = read_file(boot.folder() / loader_file(plan.release, "boot"));
    core = read_file(boot.folder() / loader_file(plan.release, "core"));
  }
  place_core(sector, core, target.core_sector);
  if (core.size() > target.core_room)
    throw Error{fmt::format("GRUB's core image has {} bytes, and there is room for {}", core.size(),
                            target.core_room)};
  write_bytes(plan.disk, target.core_sector * kSectorSize, core);
  write_bytes(plan.disk, 0, std::string_view{sector}.substr(0, kBootCodeSize));
}

}  // namespace

DiskType parse_disk_type(const std::string& name) {
  // Those of clouds were a disk with a serial console, which every disk has now.
  for (const char* gpt :
       {"", "gpt", "generic", "gptsyslinux", "amazon-ebs", "amazon-ebs-hvm", "googlecompute"})
    if (name == gpt) return DiskType::gpt;
  if (name == "mbr" || name == "syslinux") return DiskType::mbr;
  if (name == "noformat") return DiskType::as_it_is;
  throw Error{"there is no install type " + name, Error::Kind::usage}.hint(
      "gpt (BIOS and UEFI), mbr, or noformat, which also takes a state on RAID");
}

std::string partition_script(DiskType type, std::uint64_t boot_size) {
  const auto mib = [](std::uint64_t bytes) { return bytes / kMebibyte; };
  if (type == DiskType::mbr)
    return fmt::format(
        "label: dos\n"
        "start={}MiB, size={}MiB, type=ef\n"
        "size={}MiB, type=83, bootable\n"
        "type=83\n",
        mib(kDiskHead), mib(kEspSize), mib(boot_size));
  return fmt::format(
      "label: gpt\n"
      "start={}MiB, size={}MiB, type={}, name=\"BIOS boot\"\n"
      "size={}MiB, type={}, name=ESP\n"
      "size={}MiB, type={}, name={}\n"
      "type={}, name={}\n",
      mib(kDiskHead), mib(kBiosBootSize), kBiosBootType, mib(kEspSize), kEspType, mib(boot_size),
      kLinuxType, kBootLabel, kLinuxType, kStateLabel);
}

fs::path partition_path(const fs::path& disk, int number) {
  const std::string name = disk.string();
  const bool digit = !name.empty() && name.back() >= '0' && name.back() <= '9';
  return fmt::format("{}{}{}", name, digit ? "p" : "", number);
}

void check_disk(const InstallPlan& plan) {
  if (plan.directory.find("..") != std::string::npos || append_words(plan.directory).size() > 1)
    throw Error{"--statedir is a folder of RANCHER_STATE", Error::Kind::usage};
  if (!plan.state.empty() && plan.type != DiskType::as_it_is)
    throw Error{"--partition names a state that is there already", Error::Kind::usage}.hint(
        "-t noformat");
  settle_udev();  // whoever prepared the disk has written to it
  const std::uint64_t size = disk_size(plan.disk);
  if (fs::exists("/sys/class/block" / fs::canonical(plan.disk).filename() / "partition"))
    throw Error{plan.disk.string() + " is a partition, not a disk", Error::Kind::usage};
  if (plan.type == DiskType::as_it_is) {
    find_target(plan.disk, plan.state);
    return;
  }
  const Fd fd{::open(plan.disk.c_str(), O_RDWR | O_EXCL | O_CLOEXEC)};
  if (!fd && errno == EBUSY)
    throw Error{plan.disk.string() + " is in use"}.hint(
        "a partition of it is mounted, or it is part of RAID, LVM or LUKS; boot without it: "
        "rancher.state.dev=none");
  if (!fd) throw Error::from_errno("cannot write to " + plan.disk.string());
  const std::uint64_t least = least_disk(boot_partition_size(content_size(plan.release)));
  if (size < least)
    throw Error{fmt::format("{} has {}; {} {} needs {}", plan.disk.string(), human_size(size),
                            plan.release.title, plan.release.version, human_size(least))};
}

std::string describe_disk(const fs::path& disk) {
  return capture(
      {"lsblk", "--output", "NAME,SIZE,TYPE,FSTYPE,LABEL,MODEL,MOUNTPOINTS", disk.string()});
}

void install(const InstallPlan& plan, const ReleaseSource& source) {
  try {
    const InstallTarget target = plan.type == DiskType::as_it_is
                                     ? find_target(plan.disk, plan.state)
                                     : make_partitions(plan);
    write_medium(plan, source, target.boot);
    write_state(plan, target.state);
    say("writing the boot loader");
    if (!target.esp.empty()) write_esp(plan, target);
    if (target.core_sector != 0 && boots_by_bios(plan.release)) write_bios_loader(plan, target);
    settle_udev();
    if (plan.kexec) load_installed(plan, target.boot);
  } catch (Error& error) {
    error.add_context(fmt::format("{} was NOT installed", plan.disk.string()));
    throw;
  }
}

}  // namespace ros
