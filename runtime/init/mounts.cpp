#include "runtime/init/mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"

namespace ros {
namespace {

constexpr long kTmpfsMagic = 0x01021994;
constexpr long kRamfsMagic = 0x858458f6;

// Empties a folder of one file system; mount points and what is below them stay.
void remove_content(int folder, dev_t device) {
  DIR* stream = ::fdopendir(folder);
  if (!stream) {
    ::close(folder);
    return;
  }
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat info = {};
    if (::fstatat(::dirfd(stream), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        info.st_dev != device)
      continue;
    if (S_ISDIR(info.st_mode)) {
      const int below =
          ::openat(::dirfd(stream), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (below >= 0) remove_content(below, device);
      ::unlinkat(::dirfd(stream), name.c_str(), AT_REMOVEDIR);
    } else {
      ::unlinkat(::dirfd(stream), name.c_str(), 0);
    }
  }
  ::closedir(stream);
}

}  // namespace

const std::vector<Mount>& early_mounts() {
  constexpr unsigned long kSafe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  static const std::vector<Mount> table{
      {"proc", "/proc", "proc", kSafe, ""},
      {"sysfs", "/sys", "sysfs", kSafe, ""},
      {"devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755"},
      {"devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666"},
      {"tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
      {"mqueue", "/dev/mqueue", "mqueue", kSafe, "", false},
      {"tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"},
      {"cgroup2", "/sys/fs/cgroup", "cgroup2", kSafe, "nsdelegate,memory_recursiveprot"},
      {"bpf", "/sys/fs/bpf", "bpf", kSafe, "mode=0700", false},
      {"securityfs", "/sys/kernel/security", "securityfs", kSafe, "", false},
      {"tracefs", "/sys/kernel/tracing", "tracefs", kSafe, "mode=0700", false},
  };
  return table;
}

void mount_one(const Mount& mount) {
  // sysfs makes its own mount points; elsewhere they may be missing.
  ::mkdir(mount.target.c_str(), 0755);
  if (::mount(mount.source.c_str(), mount.target.c_str(), mount.type.c_str(), mount.flags,
              mount.options.empty() ? nullptr : mount.options.c_str()) != 0)
    throw Error::from_errno("cannot mount " + mount.type + " on " + mount.target);
}

void mount_all(const std::vector<Mount>& mounts) {
  for (const auto& mount : mounts) {
    try {
      mount_one(mount);
    } catch (const Error& error) {
      if (mount.required) throw;
      log::debug(error.what());
    }
  }
}

void bind_mount(const fs::path& from, const fs::path& to) {
  boost::system::error_code ignored;
  fs::create_directories(to, ignored);
  if (::mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    throw Error::from_errno("cannot bind " + from.string() + " to " + to.string());
}

void switch_root(const fs::path& new_root) {
  for (const char* name : {"dev", "proc", "run", "sys"}) {
    boost::system::error_code ignored;
    fs::create_directories(new_root / name, ignored);
    if (!fs::is_directory(new_root / name))
      throw Error{"the new root has no folder " + std::string{name}};
  }
  const Fd old_root = open_file("/", O_RDONLY | O_DIRECTORY);
  struct stat old_info {};
  struct statfs old_system {};
  ::fstat(old_root.get(), &old_info);
  ::fstatfs(old_root.get(), &old_system);

  if (::chdir(new_root.c_str()) != 0) throw Error::from_errno("cannot enter the new root");
  for (const char* name : {"dev", "proc", "run", "sys"})
    if (::mount(("/" + std::string{name}).c_str(), name, nullptr, MS_MOVE, nullptr) != 0)
      throw Error::from_errno("cannot move /" + std::string{name} + " to the new root");
  if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0)
    throw Error::from_errno("cannot move the new root to /");
  if (::chroot(".") != 0 || ::chdir("/") != 0) throw Error::from_errno("cannot enter the new root");
  if (::mount(nullptr, "/", nullptr, MS_SHARED | MS_REC, nullptr) != 0)
    log::error(Error::from_errno("cannot share the mounts").what());

  // Only what is certainly an initramfs is emptied.
  if (old_system.f_type == kTmpfsMagic || old_system.f_type == kRamfsMagic)
    remove_content(::fcntl(old_root.get(), F_DUPFD_CLOEXEC, 3), old_info.st_dev);
}

void make_dev_links(const Paths& paths) {
  const auto link = [&](const char* name, const char* target) {
    (void)!::symlink(target, (paths.dev / name).c_str());
  };
  link("fd", "/proc/self/fd");
  link("stdin", "/proc/self/fd/0");
  link("stdout", "/proc/self/fd/1");
  link("stderr", "/proc/self/fd/2");
  link("core", "/proc/kcore");
}

}  // namespace ros
