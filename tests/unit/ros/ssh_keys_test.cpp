#include "runtime/ros/ssh_keys.h"

#include <unistd.h>

#include <catch2/catch.hpp>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/commands.h"
#include "tests/support/config.h"

using namespace ros;
using test::config_of;

namespace {

std::vector<std::string> keys_in(const std::string& text) {
  std::vector<std::string> keys;
  for (const auto& line : split(text, '\n'))
    if (!line.empty() && line[0] != '#') keys.push_back(line);
  return keys;
}

using Keys = std::vector<std::string>;

}  // namespace

TEST_CASE("ssh keys: those of the configuration come first, then the metadata's, each once") {
  const Config config = config_of("ssh_authorized_keys: [ssh-ed25519 A one, 'ssh-ed25519 B two ']");
  const Metadata metadata{"", {"ssh-ed25519 C three", "ssh-ed25519 A one"}};
  const std::string text = with_configured_keys("", common_ssh_keys(config, metadata));
  CHECK(keys_in(text) == Keys{"ssh-ed25519 A one", "ssh-ed25519 B two", "ssh-ed25519 C three"});
  CHECK(with_configured_keys(text, common_ssh_keys(config, metadata)) == text);
}

TEST_CASE("ssh keys: a revoked key goes and a key added by hand stays") {
  std::string text = with_configured_keys("ssh-rsa OLD\n", {"k one", "k two"});
  text += "k by hand\n";
  text = with_configured_keys(text, {"k two"});
  CHECK(keys_in(text) == Keys{"k two", "ssh-rsa OLD", "k by hand"});
  text = with_configured_keys(text, {});
  CHECK(text == "ssh-rsa OLD\nk by hand\n");
}

TEST_CASE("ssh keys: a block without its end costs nobody a key") {
  std::string text = with_configured_keys("k by hand\n", {"k one"});
  const auto end = text.find("# rancheros: end");
  text.erase(end, text.find('\n', end) + 1 - end);
  CHECK(keys_in(with_configured_keys(text, {"k two"})) == Keys{"k two", "k one", "k by hand"});
}

TEST_CASE("ssh keys: the file is private and is not made for nothing") {
  TempDir root;
  write_ssh_keys(root.path() / "empty", 1100, 1100, {});
  CHECK_FALSE(fs::exists(root.path() / "empty"));
  const auto home = root.path() / "home";
  write_ssh_keys(home, ::getuid(), ::getgid(), {"k one"});
  CHECK((fs::status(home / ".ssh/authorized_keys").permissions() & 0777) == 0600);
  CHECK((fs::status(home / ".ssh").permissions() & 0777) == 0700);
  write_ssh_keys(home, ::getuid(), ::getgid(), {});
  CHECK(read_file(home / ".ssh/authorized_keys").empty());
}

TEST_CASE("ssh keys: a user's link is not followed") {
  TempDir root;
  fs::create_directories(root.path() / "home");
  fs::create_directories(root.path() / "elsewhere");
  fs::create_symlink(root.path() / "elsewhere", root.path() / "home/.ssh");
  CHECK_THROWS_AS(write_ssh_keys(root.path() / "home", 0, 0, {"k"}), Error);
  CHECK(fs::is_empty(root.path() / "elsewhere"));
}

TEST_CASE("commands: each form runs, and the first failure ends them only when it shall") {
  TempDir folder;
  const auto file = [&](const char* name) { return (folder.path() / name).string(); };
  const Config config =
      config_of("runcmd:\n- []\n- [touch, '" + file("a list") + "']\n- echo x > '" + file("text") +
                "'\n- [/no/such/program]\n- touch '" + file("after") + "'\n");
  run_commands(config, "runcmd", OnFailure::stop);
  CHECK(fs::exists(file("a list")));
  CHECK(read_file(file("text")) == "x\n");
  CHECK_FALSE(fs::exists(file("after")));
  run_commands(config, "runcmd", OnFailure::go_on);
  CHECK(fs::exists(file("after")));
}

TEST_CASE("commands: a script needs neither #! nor the right to be executed") {
  TempDir folder;
  const auto script = folder.path() / "start.sh";
  write_file(script, "echo $0 > '" + (folder.path() / "ran").string() + "'\n", 0644);
  run_script(script);
  CHECK(read_file(folder.path() / "ran") == script.string() + "\n");
  run_script(folder.path() / "absent");
}
