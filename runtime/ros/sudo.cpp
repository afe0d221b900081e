// `sudo` of consoles whose image has none: a copy of this program with the set-user-ID bit.
//
// Whoever may use Docker is root in all but name, so members of docker may run anything and
// everybody else nothing; there is neither configuration nor password. main() comes here before
// anything else when the kernel says that the bit counted (AT_SECURE, getauxval(3)).
#include <fmt/format.h>
#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr gid_t kDocker = 1101;  // recipes/layers/base.yaml
constexpr const char* kHelp = "usage: sudo [-n] COMMAND…, sudo -i\n";

bool may() {
  if (::getuid() == 0 || ::getgid() == kDocker) return true;
  std::array<gid_t, 1024> groups;
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  return count > 0 &&
         std::find(groups.begin(), groups.begin() + count, kDocker) != groups.begin() + count;
}

}  // namespace

int sudo_verb(const Arguments& arguments) {
  auto argv = arguments;
  while (!argv.empty() && (argv[0] == "-n" || argv[0] == "-H" || argv[0] == "--"))
    argv.erase(argv.begin());
  if (!argv.empty() && (argv[0] == "-i" || argv[0] == "-s") && argv.size() == 1)
    argv = {"/bin/sh", "-l"};
  if (argv.empty() || argv[0].starts_with('-'))
    throw Error{"this sudo only runs commands as root", Error::Kind::usage}.hint(
        std::string{trim(kHelp)} + "; install the image's sudo for more");
  if (!may())
    throw Error{"only members of the group docker may become root here"}.hint(
        "users: in the cloud-config, with groups: docker");
  const std::string caller = std::to_string(::getuid());
  if (::setgroups(0, nullptr) != 0 || ::setgid(0) != 0 || ::setuid(0) != 0)
    throw Error::from_errno("cannot become root");
  const char* term = std::getenv("TERM");
  std::vector<std::string> environment{
      "HOME=/root",
      "LOGNAME=root",
      "USER=root",
      "SHELL=/bin/sh",
      "SUDO_UID=" + caller,
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin"};
  if (term) environment.push_back(std::string{"TERM="} + term);
  ::clearenv();
  ::setenv("PATH", environment[5].c_str() + 5, 1);  // execvpe(3) looks here
  exec(argv, environment);
}

}  // namespace ros
