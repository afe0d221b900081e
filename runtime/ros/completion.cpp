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
      {"os", {"append", "gc", "list", "rollback", "status", "timeline", "upgrade", "version"}},
      {"os append", {"--clear"}},
      {"os rollback", {"--force", "--kexec", "--no-reboot"}},
      {"os timeline", {"--json", "--svg"}},
      {"os upgrade", {"--append", "--force", "--image", "--kexec", "--no-reboot", "--stage"}},
      {"service",
       {"build", "create", "delete", "disable", "down", "enable", "kill", "list", "logs", "ps",
        "pull", "restart", "rm", "start", "stop", "up"}},
      {"tls", {"generate"}},
      {"tls generate", {"--dir", "--hostname", "--server"}},
  };
  return words;
}

}  // namespace

Words completions(std::string_view line) {
  Words given = words(line);
  if (given.empty()) return {};
  const std::string begun = line.ends_with(' ') || given.size() == 1 ? std::string{} : given.back();
  if (!begun.empty()) given.pop_back();
  given.erase(given.begin());  // "ros"
  Words found;
  const auto offer = [&](std::string_view word) {
    if (word.starts_with(begun)) found.emplace_back(word);
  };
  const auto verb = given.size() > 2 ? given.begin() + 2 : given.end();
  if (const auto entry = table().find(join({given.begin(), verb}, " ")); entry != table().end())
    for (const auto& word : entry->second) offer(word);
  const std::string path = join({given.begin(), verb}, " ");
  if (path == "config get" || (path == "config set" && given.size() == 2))
    for (const Key& key : keys())
      if (std::string_view{key.path}.find_first_of("*[") == std::string_view::npos) offer(key.path);
  return found;
}

}  // namespace ros
