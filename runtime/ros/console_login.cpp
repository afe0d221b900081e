// `console-login [-f] [--] NAME`: login(1) of consoles out of an OCI image, called by the system's
// agetty with the system as its root. Checks the password against the system's accounts, and then
// goes into the image.
#include <fmt/format.h>
#include <grp.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/account_files.h"
#include "runtime/ros/console_image.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr gid_t kTty = 5;
constexpr unsigned kFailedSeconds = 3;  // before the next attempt; agetty starts us anew

std::string ask(const char* what, bool echo) {
  termios saved = {};
  const bool terminal = ::tcgetattr(STDIN_FILENO, &saved) == 0;
  if (terminal && !echo) {
    termios silent = saved;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  fmt::print("{}", what);
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  if (terminal && !echo) {
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
    fmt::print("\n");
  }
  return answer;
}

// PAM's helper knows every kind of hash; it reads the password up to a zero byte.
bool right_password(const std::string& name, const std::string& password) {
  return capture_bounded({"/usr/sbin/unix_chkpwd", name, "nonull"}, password + '\0', 1024).status ==
         0;
}

unsigned number(const std::string& text) {
  unsigned value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size())
    throw Error{text + " is no number of an account"};
  return value;
}

[[noreturn]] void enter(const AccountFiles::Line& account, const AccountFiles& files) {
  const auto& name = account[0];
  const unsigned uid = number(account[AccountFiles::kUid]);
  const unsigned gid = number(account[AccountFiles::kGid]);
  std::vector<gid_t> groups{gid};
  for (const auto& group : files.group) {
    const auto members = split(group[AccountFiles::kMembers], ',');
    if (std::ranges::count(members, name) > 0)
      groups.push_back(number(group[AccountFiles::kGroupId]));
  }
  (void)!::fchown(STDIN_FILENO, uid, kTty);
  (void)!::fchmod(STDIN_FILENO, 0620);
  const std::string root{trim(read_file(kConsoleRoot))};
  if (::chroot(root.c_str()) != 0 || ::chdir("/") != 0)
    throw Error::from_errno("cannot enter the console");
  if (::setgroups(groups.size(), groups.data()) != 0 || ::setgid(gid) != 0 || ::setuid(uid) != 0)
    throw Error::from_errno("cannot become " + name);
  const std::string& home = account[AccountFiles::kHome];
  (void)!::chdir(home.c_str());
  std::string shell = account[AccountFiles::kShell];
  if (::access(shell.c_str(), X_OK) != 0) shell = "/bin/sh";
  const char* term = std::getenv("TERM");
  const std::vector<std::string> environment{
      "HOME=" + home,
      "LOGNAME=" + name,
      "USER=" + name,
      "SHELL=" + shell,
      "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/bin",
      std::string{"TERM="} + (term ? term : "linux")};
  ::clearenv();
  exec({shell, "-l"}, environment);
}

}  // namespace

int console_login_verb(const Arguments& arguments) {
  require_root();
  const bool trusted = std::ranges::count(arguments, "-f") > 0;
  const AccountFiles known = load_accounts("/etc");
  AccountFiles files = known;
  std::string name = arguments.empty() || arguments.back().starts_with('-') ? "" : arguments.back();
  if (name.empty()) name = ask("login: ", true);
  const auto* account = find_account(files.passwd, name);
  const bool person = account && number((*account)[AccountFiles::kUid]) != 0;
  if (!trusted) {
    const std::string password = ask("Password: ", false);
    if (!person || !right_password(name, password)) {
      ::sleep(kFailedSeconds);
      fmt::print("Login incorrect\n");
      return 1;
    }
  }
  if (!person) throw Error{fmt::format("there is no account {}", name)};
  enter(*account, known);
}

}  // namespace ros
