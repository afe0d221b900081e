#include "runtime/ros/console_image.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

constexpr unsigned kFirstPerson = 1000, kLastPerson = 60000;

#if defined(__aarch64__)
constexpr const char* kLoader = "/host/lib/ld-linux-aarch64.so.1";
constexpr const char* kLibraries = "/host/usr/lib/aarch64-linux-gnu";
#else
constexpr const char* kLoader = "/host/lib64/ld-linux-x86-64.so.2";
constexpr const char* kLibraries = "/host/usr/lib/x86_64-linux-gnu";
#endif

bool is_there(const fs::path& path) {
  boost::system::error_code error;
  return fs::symlink_status(path, error).type() > fs::file_not_found;
}

// Programs of the system by the names that they have in the image's /usr/local, unless the image
// has one of that name; one that came later takes ours away.
class Provider {
 public:
  explicit Provider(fs::path root) : root_(std::move(root)) {}

  void link(const char* name) {
    if (const auto path = wanted(name)) fs::create_symlink("/usr/bin/ros", *path);
  }
  void script(const char* name, std::string_view text) {
    if (const auto path = wanted(name)) write_file_atomically(*path, text, 0755);
  }
  // A copy that everybody runs as root: see sudo.cpp.
  void sudo(const fs::path& ros) {
    const auto path = wanted("sudo");
    if (!path) return;
    write_file_atomically(*path, read_file(ros), 0755);
    if (::chmod(path->c_str(), 04755) != 0)
      throw Error::from_errno("cannot make " + path->string());
  }

 private:
  std::optional<fs::path> wanted(const char* name) const {
    const fs::path ours = root_ / "usr/local/bin" / name;
    fs::create_directories(ours.parent_path());
    fs::remove(ours);
    for (const char* folder : {"usr/bin", "bin", "usr/sbin", "sbin", "usr/local/sbin"})
      if (is_there(root_ / folder / name)) return {};
    return ours;
  }

  fs::path root_;
};

}  // namespace

bool in_console_image() { return fs::exists(fs::path{kHost} / "usr/bin/ros"); }

void enter_host() {
  if (::chroot(kHost) != 0 || ::chdir("/") != 0)
    throw Error::from_errno(fmt::format("cannot enter {}", kHost));
}

std::vector<std::string> in_host(std::vector<std::string> argv) {
  argv.insert(argv.begin(), {"/proc/self/exe", "console-init", "--in-host"});
  return argv;
}

void check_console_image() {
  try {
    if (trim(capture({"/bin/sh", "-c", "echo works"})) == "works") return;
    throw Error{"it says something else than it is told to"};
  } catch (Error& error) {
    error.add_context("its /bin/sh does not run");
    throw;
  }
}

AccountFiles people_of(AccountFiles files) {
  const auto person = [](const AccountFiles::Line& line) {
    unsigned number = 0;
    std::from_chars(line[2].data(), line[2].data() + line[2].size(), number);
    return number >= kFirstPerson && number < kLastPerson;
  };
  std::erase_if(files.passwd, [&](const auto& line) { return !person(line); });
  std::erase_if(files.group, [&](const auto& line) { return !person(line) && line[0] != "sudo"; });
  std::erase_if(files.shadow, [&](const AccountFiles::Line& line) {
    return !find_account(files.passwd, line[0]);
  });
  return files;
}

void prepare_console_image(const fs::path& root, const fs::path& host) {
  save_accounts(restored(load_accounts(root / "etc"), people_of(load_accounts(host / "etc")), {}),
                root / "etc");
  // The shell of the system's accounts.
  if (!is_there(root / "bin/bash"))
    write_file_atomically(root / "bin/bash", "#!/bin/sh\nexec /bin/sh -l \"$@\"\n", 0755);
  if (!is_there(root / "var/run")) {  // where docker looks for its socket
    fs::create_directories(root / "var");
    fs::create_symlink("/run", root / "var/run");
  }
  Provider provider{root};
  for (const char* name :
       {"system-docker", "wait-for-docker", "reboot", "poweroff", "halt", "shutdown"})
    provider.link(name);
  provider.script("docker",
                  fmt::format("#!/bin/sh\nexec {} --library-path {} /host/usr/bin/docker \"$@\"\n",
                              kLoader, kLibraries));
  provider.sudo(host / "usr/bin/ros");
  if (is_there(root / "usr/bin/sudo"))
    for (const char* name : {"rancher", "cloud-config"})
      if (const auto rules = try_read_file(host / "etc/sudoers.d" / name))
        write_file_atomically(root / "etc/sudoers.d" / name, *rules, 0440);
}

}  // namespace ros
