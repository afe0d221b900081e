// `ros console-init`: main process of service `console`. Prepares the users'
// side of the system once a boot, then keeps getty and sshd running.
#include "runtime/ros/console.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/ros/account_config.h"
#include "runtime/ros/account_files.h"
#include "runtime/ros/accounts.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/commands.h"
#include "runtime/ros/console_image.h"
#include "runtime/ros/process.h"
#include "runtime/ros/registry_auth.h"
#include "runtime/ros/settings.h"
#include "runtime/ros/ssh_keys.h"
#include "runtime/ros/verbs.h"
#include "runtime/ros/watch.h"

namespace ros {
namespace {

constexpr const char* kHostKeys = "var/lib/rancher/ssh";
constexpr std::array kHostKeyKinds{"ed25519", "ecdsa"};

// In a process of its own: a command may take as long as it likes.
pid_t start_user_commands() {
  SpawnOptions options;
  options.new_session = true;
  return spawn({"/proc/self/exe", "console-init", "--run-commands"}, options);
}

int run_user_commands() {
  const Config config = load_config();
  run_commands(config, "runcmd", OnFailure::stop);
  run_script(fs::path{"/"} / kConfigFolder / "cloud-config-script");
  run_script("/opt/rancher/bin/start.sh");
  run_script("/etc/rc.local");
  return 0;
}

void prepare_once(const Config& config, std::vector<std::string>& problems) {
  const auto step = [&](auto&& function) {
    try {
      function();
    } catch (const std::exception& error) {
      problems.emplace_back(error.what());
    }
  };
  fs::create_directories("/run/sshd");
  fs::create_directories("/run/lock");
  step([&] { prepare_accounts(config, problems); });
  step([&] { write_login_keys(config); });
  step([&] { set_password(config); });
  step([&] { write_registry_auths(config, problems); });
}

int prepare_in_host() {
  std::vector<std::string> problems;
  const Config config = load_config();
  prepare_once(config, problems);
  if (config.flag("rancher.ssh.daemon", true)) prepare_host_keys(config, problems);
  for (const auto& problem : problems) announce_error(problem);
  return 0;
}

// Made under another name: what is cut short by a power loss, or is no key, takes no key's place.
void make_host_key(const fs::path& file, const char* kind, const std::string& given) {
  const std::string fresh = file.string() + ".new";
  fs::remove(fresh);
  fs::remove(fresh + ".pub");
  if (given.empty()) {
    run_program({"ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", fresh});
  } else {
    write_file_atomically(fresh, given, 0600);
    write_file_atomically(fresh + ".pub", run_program({"ssh-keygen", "-y", "-P", "", "-f", fresh}));
  }
  fs::rename(fresh + ".pub", file.string() + ".pub");
  fs::rename(fresh, file);
  ::syncfs(open_file(file.string(), O_RDONLY).get());
}

// NAME-pub is what the old system kept beside each; here it is made of the key.
void name_unknown_kinds(const Value& keys, std::vector<std::string>& problems) {
  for (const auto& [name, key] : keys.members()) {
    const std::string kind = name.ends_with("-pub") ? name.substr(0, name.size() - 4) : name;
    if (std::ranges::find(kHostKeyKinds, kind) == std::end(kHostKeyKinds))
      problems.emplace_back(Error{fmt::format("rancher.ssh.keys.{} is no host key: only {} are",
                                              name, fmt::join(kHostKeyKinds, " and "))}
                                .at(key.position())
                                .what());
  }
}

// The system's agetty, then our login; sshd, which does the same by itself.
void lead_into_image(std::vector<std::vector<std::string>>& programs) {
  const std::string root = fmt::format("/proc/{}/root", ::getpid());
  write_file_atomically(kConsoleRoot, root);
  for (auto& program : programs) {
    if (program[0] == "agetty")
      program.insert(program.begin() + 1, {"--login-program", "/usr/lib/ros/console-login"});
    if (program[0] == "/usr/sbin/sshd")
      program.insert(program.end(), {"-o", "ChrootDirectory=" + root});
    program = in_host(std::move(program));
  }
}

// For `ros console-init` itself.
int run_part(const Arguments& arguments) {
  const std::string& part = arguments[0];
  if (part == "--run-commands") return run_user_commands();
  if (part == "--prepare") return prepare_in_host();
  if (part == "--keep-accounts") {
    wait_for_change("/etc", -1, [] {
      keep_accounts();
      return false;
    });
  }
  if (part == "--in-host" && arguments.size() > 1) {
    enter_host();
    exec({arguments.begin() + 1, arguments.end()});
  }
  if (part == "--probe") {
    check_console_image();
    fmt::print("its shell runs\n");
    return 0;
  }
  unknown_word("ros console-init", part,
               {"--run-commands", "--prepare", "--keep-accounts", "--in-host", "--probe"});
}

}  // namespace

// Host keys survive because they live with the state; /etc/ssh gets links.
void prepare_host_keys(const Config& config, std::vector<std::string>& problems,
                       const fs::path& root) {
  fs::create_directories(root / kHostKeys);
  if (const Value* keys = config.find("rancher.ssh.keys")) name_unknown_kinds(*keys, problems);
  for (const char* kind : kHostKeyKinds) {
    const std::string key = fmt::format("rancher.ssh.keys.{}", kind);
    const std::string name = fmt::format("ssh_host_{}_key", kind);
    const fs::path file = root / kHostKeys / name;
    const auto make = [&](const std::string& given) {
      try {
        make_host_key(file, kind, given);
      } catch (const std::exception& error) {
        problems.push_back(fmt::format("{}: {}", given.empty() ? name : key, error.what()));
      }
    };
    std::string given = config.text(key);
    if (!given.empty() && !given.ends_with('\n')) given += '\n';  // without it, it is no key
    if (!given.empty() && try_read_file(file) != given) make(given);
    if (!fs::exists(file)) make("");
    for (const char* suffix : {"", ".pub"}) {
      const fs::path link = root / "etc/ssh" / (name + suffix);
      boost::system::error_code ignored;
      fs::remove(link, ignored);
      fs::create_symlink(file.string() + suffix, link, ignored);
    }
  }
}

void write_login_keys(const Config& config) {
  const auto common = common_ssh_keys(config, load_metadata());
  std::map<std::string, std::vector<std::string>> keys{{"rancher", common}, {"docker", common}};
  std::vector<std::string> named_already;
  for (const auto& account : configured_accounts(config, named_already))
    keys[account.name].insert(keys[account.name].end(), account.keys.begin(), account.keys.end());
  // None at all: a config drive that is gone, a service that has no keys. Who got in still does.
  if (!keys["rancher"].empty()) write_ssh_keys("/home/rancher", 1100, 1100, keys["rancher"]);
  if (!keys["docker"].empty()) write_ssh_keys("/home/docker", 1101, 1101, keys["docker"]);
}

void set_password(const Config& config) {
  const std::string password = config.text("rancher.password");
  const auto disabled = config.texts("rancher.disable");
  if (password.empty() ||
      std::find(disabled.begin(), disabled.end(), "password") != disabled.end()) {
    return;
  }
  const auto line = [] {
    AccountFiles files = load_accounts("/etc");
    const auto* found = find_account(files.shadow, "rancher");
    return found ? join(*found, ":") : std::string{};
  };
  const std::string before = line();
  capture({"chpasswd", "-c", "SHA512"}, "rancher:" + password + "\n");
  note_boot_password(before, line());
}

std::vector<std::string> getty_consoles(std::string_view command_line,
                                        const std::vector<std::string>& autologin) {
  std::vector<std::string> found;
  const auto add = [&](std::string name) {
    name = name.substr(0, name.find(','));
    if (name == "tty0" || name == "tty") name = "tty1";
    if (!name.starts_with("tty") || name.find('/') != std::string::npos) return;
    if (std::find(found.begin(), found.end(), name) == found.end()) found.push_back(name);
  };
  for (const auto& name : Cmdline{command_line}.all("console")) add(name);
  for (const auto& name : autologin) add(name);
  if (found.empty()) add("tty1");
  return found;
}

std::vector<std::string> getty_command(const std::string& tty, bool autologin) {
  std::vector<std::string> argv{"agetty", "--noclear"};
  if (autologin) argv.insert(argv.end(), {"--autologin", "rancher"});
  const bool serial = tty.size() > 3 && !std::isdigit(static_cast<unsigned char>(tty[3]));
  if (serial) argv.push_back("--keep-baud");
  argv.push_back(tty);
  if (serial) argv.push_back("115200,57600,38400,9600");
  argv.push_back(serial ? "vt220" : "linux");
  return argv;
}

std::vector<std::string> sshd_command(const Config& config) {
  std::vector<std::string> argv{"/usr/sbin/sshd", "-D"};
  if (const auto port = config.integer("rancher.ssh.port", 0); port > 0) {
    argv.insert(argv.end(), {"-o", fmt::format("Port={}", port)});
  }
  if (const auto address = config.text("rancher.ssh.listen_address"); !address.empty()) {
    argv.insert(argv.end(), {"-o", "ListenAddress=" + address});
  }
  if (config.flag("ssh_pwauth", !config.text("rancher.password").empty())) {
    argv.insert(argv.end(), {"-o", "PasswordAuthentication=yes"});
  }
  return argv;
}

int console_init_verb(const Arguments& arguments) {
  log::set_name("console");
  if (!arguments.empty()) return run_part(arguments);
  const Config config = load_config();
  std::vector<std::string> problems;
  const bool first = !fs::exists(kConsoleDone);
  const bool from_image = in_console_image();
  if (from_image) {
    check_console_image();
    if (first) run(in_host({"/usr/bin/ros", "console-init", "--prepare"}));
    prepare_console_image("/", kHost);
  } else if (first) {
    prepare_once(config, problems);
  }
  if (first) write_files(config, "console", problems);

  std::vector<std::vector<std::string>> programs;
  auto logins = config.texts("rancher.autologin");
  const auto disabled = config.texts("rancher.disable");
  if (std::find(disabled.begin(), disabled.end(), "autologin") != disabled.end()) logins.clear();
  for (const auto& tty : getty_consoles(try_read_file("/proc/cmdline").value_or(""), logins)) {
    if (!fs::exists("/dev/" + tty)) continue;
    const bool automatic = std::find(logins.begin(), logins.end(), tty) != logins.end();
    programs.push_back(getty_command(tty, automatic));
  }
  if (config.flag("rancher.ssh.daemon", true)) {
    try {
      if (!from_image) prepare_host_keys(config, problems);
    } catch (const std::exception& error) {
      problems.emplace_back(error.what());
    }
    programs.push_back(sshd_command(config));
  }
  programs.push_back({"/usr/bin/ros", "console-init", "--keep-accounts"});
  if (from_image) lead_into_image(programs);
  for (const auto& problem : problems) announce_error(problem);
  if (first) {
    write_file(kConsoleDone, "");
    start_user_commands();
  }
  return keep_running(programs);
}

}  // namespace ros
