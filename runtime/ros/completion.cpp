#include "runtime/ros/completion.h"

#include <algorithm>
#include <map>

#include "runtime/base/text.h"
#include "runtime/config/schema.h"

namespace ros {
namespace {

using Words = std::vector<std::string>;

const std::map<std::string, Words, std::less<>>& table() {
  static const std::map<std::string, Words, std::less<>> words{
      {"",
       {"config", "console", "dev", "engine", "env", "halt", "install", "logs", "os", "poweroff",
        "preload-images", "reboot", "service", "shutdown", "tls", "wait-for-docker", "--help",
        "--version"}},
      {"config",
       {"export", "generate", "get", "images", "keys", "merge", "schema", "set", "validate"}},
      {"config export", {"--full", "--output", "--private"}},
      {"config get", {"--origin"}},
      {"console", {"enable", "list", "switch"}},
      {"console enable", {"--no-pull", "default"}},
      {"console switch", {"--force", "--no-pull", "default"}},
      {"engine", {"create", "enable", "list", "rm", "switch"}},
      {"engine create",
       {"--authorized-keys", "--fixed-ip", "--network", "--ssh-port", "--version"}},
      {"engine enable", {"--no-pull", "docker"}},
      {"engine rm", {"--force", "--timeout"}},
      {"engine switch", {"--force", "--no-pull", "docker"}},
      {"install",
       {"--append", "--cloud-config", "--device", "--force", "--image", "--install-type", "--kexec",
        "--no-reboot", "--partition", "--save", "--statedir"}},
      {"logs",
       {"--follow", "--lines", "containerd", "kernel", "syslog", "system", "system-docker"}},
      {"os", {"append", "gc", "list", "rollback", "status", "timeline", "upgrade", "version"}},
      {"os append", {"--clear"}},
      {"os list", {"--image"}},
      {"os rollback", {"--force", "--kexec", "--no-reboot"}},
      {"os timeline", {"--json", "--svg"}},
      {"os upgrade",
       {"--append", "--force", "--image", "--kexec", "--no-reboot", "--platform", "--stage"}},
      {"service",
       {"build", "create", "delete", "disable", "down", "enable", "kill", "list", "logs", "ps",
        "pull", "restart", "rm", "start", "stop", "up"}},
      {"service build", {"--force-rm", "--no-cache", "--pull"}},
      {"service create", {"--force-recreate", "--no-build", "--no-recreate", "--timeout"}},
      {"service down", {"--timeout"}},
      {"service kill", {"--signal"}},
      {"service list", {"--all", "--update"}},
      {"service logs", {"--follow", "--lines", "--tail"}},
      {"service ps", {"--quiet"}},
      {"service pull", {"--ignore-pull-failures"}},
      {"service restart", {"--timeout"}},
      {"service rm", {"--force", "--volumes"}},
      {"service start", {"--foreground", "--no-build", "--timeout"}},
      {"service stop", {"--timeout"}},
      {"service up",
       {"--force-recreate", "--foreground", "--no-build", "--no-recreate", "--timeout"}},
      {"tls", {"generate"}},
      {"tls generate", {"--dir", "--hostname", "--server"}},
  };
  return words;
}

}  // namespace

Words completions(std::string_view line, const std::function<Words()>& services) {
  Words given = words(line);
  if (given.empty()) return {};
  const std::string begun = line.ends_with(' ') || given.size() == 1 ? std::string{} : given.back();
  if (!begun.empty()) given.pop_back();
  given.erase(given.begin());  // "ros"
  if (!given.empty() && given[0] == "s") given[0] = "service";
  if (!given.empty() && given[0] == "c") given[0] = "config";
  Words found;
  const auto offer = [&](std::string_view word) {
    if (word.starts_with(begun)) found.emplace_back(word);
  };
  // `install` and `logs` have no verbs of their own.
  const bool alone = !given.empty() && (given[0] == "install" || given[0] == "logs");
  const auto length = std::min(std::ssize(given), alone ? std::ptrdiff_t{1} : 2);
  const std::string path = join({given.begin(), given.begin() + length}, " ");
  if (const auto entry = table().find(path); entry != table().end())
    for (const auto& word : entry->second) offer(word);
  if (path == "config get" || (path == "config set" && given.size() == 2))
    for (const Key& key : keys())
      if (std::string_view{key.path}.find_first_of("*[") == std::string_view::npos) offer(key.path);
  if (path == "logs" || (path.starts_with("service ") && path != "service list"))
    for (const auto& name : services()) offer(name);
  return found;
}

}  // namespace ros
