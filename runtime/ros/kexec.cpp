#include "runtime/ros/kexec.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/text.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

// The kernel by itself, also when it lies in a squashfs.
Fd open_kernel(const fs::path& medium, const Release& release) {
  const fs::path path = medium / kernel_path(release);
  if (path.filename() != kPackedKernelFile) return open_file(path.string(), O_RDONLY);
  const TempDir folder{"/run/ros"};
  run_program({"mount", "-o", "ro,loop", path.string(), folder.path().string()});
  Fd kernel{::open((folder.path() / kKernelFile).c_str(), O_RDONLY | O_CLOEXEC)};
  const int error = errno;
  ::umount2(folder.path().c_str(), MNT_DETACH);  // it goes with the file
  if (!kernel) {
    errno = error;
    throw Error::from_errno("cannot read the kernel in " + path.string());
  }
  return kernel;
}

}  // namespace

void load_kexec(const fs::path& medium, const Release& release,
                const std::vector<std::string>& cmdline) {
  const Fd kernel = open_kernel(medium, release);
  const Fd initrd = open_file((medium / release.version / "initrd").string(), O_RDONLY);
  const std::string words = join(cmdline, " ");
  if (::syscall(SYS_kexec_file_load, kernel.get(), initrd.get(), words.size() + 1, words.c_str(),
                0UL) != 0)
    throw Error::from_errno(fmt::format("the kernel of version {} is not loaded", release.version))
        .hint("without --kexec the firmware starts it");
}

}  // namespace ros
