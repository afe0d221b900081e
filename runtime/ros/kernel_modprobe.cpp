// `kernel-modprobe`: what the kernel runs to ask for a module (/proc/sys/kernel/modprobe,
// Documentation/admin-guide/sysctl/kernel.rst).
//
// dockerd finds out at its start which other machines' programs run here, by starting
// one of each. For each the kernel asks for binfmt-464c (two bytes of the ELF magic), twice;
// no module ever has that alias, but modprobe needs longer to say so than dockerd for the
// rest of its start. Everything else is modprobe's.
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/ros/verbs.h"

namespace ros {

int kernel_modprobe_verb(const Arguments& arguments) {
  if (!arguments.empty() && arguments.back().starts_with("binfmt-")) return 1;
  std::vector<char*> argv{const_cast<char*>("modprobe")};
  for (const auto& word : arguments) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execv("/sbin/modprobe", argv.data());
  throw Error::from_errno("cannot run /sbin/modprobe");
}

}  // namespace ros
