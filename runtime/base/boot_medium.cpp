#include "runtime/base/boot_medium.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"

namespace ros {
namespace {

bool is_mount_point(const fs::path& folder) {
  struct stat self = {};
  struct stat parent = {};
  return ::stat(folder.c_str(), &self) == 0 && ::stat((folder / "..").c_str(), &parent) == 0 &&
         self.st_dev != parent.st_dev;
}

}  // namespace

WritableMedium::WritableMedium(fs::path folder)
    : folder_(std::move(folder)),
      lock_(folder_.string() + ".lock"),
      mounted_(is_mount_point(folder_)) {
  remount(true);
}

WritableMedium::~WritableMedium() {
  try {
    remount(false);
  } catch (const std::exception& error) {
    log::error(error.what());
  }
}

void WritableMedium::remount(bool writable) {
  if (!mounted_) return;
  const unsigned long flags = MS_REMOUNT | MS_NODEV | MS_NOSUID | (writable ? 0 : MS_RDONLY);
  if (::mount(nullptr, folder_.c_str(), nullptr, flags, nullptr) != 0)
    throw Error::from_errno("cannot remount " + folder_.string());
}

// Becoming read-only is what makes ext4 empty its journal.
void WritableMedium::flush() {
  const Fd fd = open_file(folder_.string(), O_RDONLY | O_DIRECTORY);
  if (::syncfs(fd.get()) != 0) throw Error::from_errno("cannot write to " + folder_.string());
  remount(false);
  remount(true);
}

void WritableMedium::save(const BootState& state) {
  const fs::path path = folder_ / kBootStateFile;
  const std::string block = to_block(state);
  const Fd fd = open_file(path.string(), O_WRONLY);
  struct stat info = {};
  // A block that grew would move.
  if (::fstat(fd.get(), &info) != 0 || info.st_size != static_cast<off_t>(block.size()))
    throw Error{path.string() + " is no environment block of GRUB"};
  if (::pwrite(fd.get(), block.data(), block.size(), 0) != static_cast<ssize_t>(block.size()) ||
      ::fsync(fd.get()) != 0)
    throw Error::from_errno("cannot write " + path.string());
}

BootState load_boot_state(const fs::path& folder) {
  return parse_block(try_read_file(folder / kBootStateFile).value_or(""));
}

}  // namespace ros
