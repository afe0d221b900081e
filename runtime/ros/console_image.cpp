#include "runtime/ros/console_image.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>

#include "runtime/base/digest.h"
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
// has one of that name; one that came later takes ours away. What else is found there is the
// owner's: ours is what kProvided has, in the words of sha256sum(1).
class Provider {
 public:
  explicit Provider(fs::path root) : root_(std::move(root)) {
    for (const auto& line : split(try_read_file(root_ / kProvided).value_or(""), '\n'))
      if (const auto fields = words(line); fields.size() == 2) provided_[fields[1]] = fields[0];
  }

  void link(const char* name) {
    put(name, content_of_link("/usr/bin/ros"),
        [](const fs::path& path) { fs::create_symlink("/usr/bin/ros", path); });
  }
  void script(const char* name, const std::string& text) {
    put(name, text, [&](const fs::path& path) { write_file_atomically(path, text, 0755); });
  }
  // A copy that everybody runs as root: see sudo.cpp.
  void sudo(const fs::path& ros) {
    const std::string program = read_file(ros);
    put("sudo", program, [&](const fs::path& path) {
      write_file_atomically(path, program, 0755);
      if (::chmod(path.c_str(), 04755) != 0)
        throw Error::from_errno("cannot make " + path.string());
    });
  }

 private:
  static constexpr const char* kProvided = "usr/local/share/ros-provided";

  static std::string content_of_link(const fs::path& target) { return "-> " + target.string(); }
  static std::string content_of(const fs::path& path) {
    boost::system::error_code no_link;
    const fs::path target = fs::read_symlink(path, no_link);
    return no_link ? try_read_file(path).value_or("") : content_of_link(target);
  }

  template <class Make>
  void put(const std::string& name, const std::string& content, Make make) {
    const std::string file = "usr/local/bin/" + name;
    const fs::path path = root_ / file;
    const std::string digest = sha256(content);
    if (is_there(path)) {
      const std::string found = sha256(content_of(path));
      if (found != digest && found != provided_[file]) return;
      fs::remove(path);
    }
    for (const char* folder : {"usr/bin", "bin", "usr/sbin", "sbin", "usr/local/sbin"})
      if (is_there(root_ / folder / name)) return;
    if (std::exchange(provided_[file], digest) != digest) save();  // before it is there
    fs::create_directories(path.parent_path());
    make(path);
  }

  void save() const {
    std::string text;
    for (const auto& [file, digest] : provided_)
      if (!digest.empty()) text += fmt::format("{}  {}\n", digest, file);
    write_file_atomically(root_ / kProvided, text);
  }

  fs::path root_;
  std::map<std::string, std::string> provided_;  // digests by file
};

// A person is in those of the system's groups that the system says, and in no other of them; whom
// only the image knows stays.
void take_out_of_groups(AccountFiles& image, AccountFiles& people) {
  for (const auto& group : people.group) {
    auto* line = find_account(image.group, group[0]);
    if (!line) continue;
    std::string& members = (*line)[AccountFiles::kMembers];
    auto list = split(members, ',');
    std::erase_if(list, [&](const auto& member) { return find_account(people.passwd, member); });
    members = join(list, ",");
  }
}

}  // namespace

bool in_console_image() { return fs::exists(fs::path{kHost} / "usr/bin/ros"); }

void enter_host() {
  // Most folders are there too, those of people above all: relative paths go on to mean the same.
  boost::system::error_code gone;
  const fs::path here = fs::current_path(gone);
  if (::chroot(kHost) != 0 || (::chdir(here.c_str()) != 0 && ::chdir("/") != 0))
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
  AccountFiles people = people_of(load_accounts(host / "etc"));
  AccountFiles image = load_accounts(root / "etc");
  take_out_of_groups(image, people);
  save_accounts(restored(std::move(image), people, {}), root / "etc");
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
  for (const char* name : {"rancher", "cloud-config"}) {
    const fs::path file = root / "etc/sudoers.d" / name;
    if (const auto rules = try_read_file(host / "etc/sudoers.d" / name); !rules) {
      fs::remove(file);
    } else if (is_there(root / "usr/bin/sudo")) {
      write_file_atomically(file, *rules, 0440);
    }
  }
}

}  // namespace ros
