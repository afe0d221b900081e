#include "builder/fetch/proxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "builder/os/process.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

bool environment_names_one() {
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return true;
  return false;
}

}  // namespace

std::string Proxies::of(const std::string& url) const {
  const std::string scheme = url.substr(0, url.find("://"));
  if (scheme != "http" && scheme != "https") return {};
  std::string host = url.substr(scheme.size() + 3);
  host = host.substr(0, host.find('/'));
  host = host.substr(host.find('@') + 1);
  host = host.substr(0, host.find(':'));
  // What https does not say is as for http: apt-transport-https(1).
  for (const auto& whose : {"::proxy::" + host, std::string{"::proxy"}})
    for (const auto& each : {scheme, std::string{"http"}})
      if (const auto found = settings.find("acquire::" + each + whose); found != settings.end())
        return found->second == "DIRECT" ? std::string{} : found->second;
  return {};
}

std::string Proxies::text() const {
  std::string text;
  for (const auto& [name, value] : settings) text += fmt::format("{} \"{}\";\n", name, value);
  return text;
}

Proxies host_proxies() {
  Proxies proxies;
  if (environment_names_one() || !find_program("apt-config")) return proxies;
  Command command{.argv = {"apt-config", "dump", "Acquire::http::Proxy", "Acquire::https::Proxy"}};
  if (const char* value = std::getenv("APT_CONFIG")) command.env["APT_CONFIG"] = value;
  for (const auto& line : ros::split(capture(command), '\n')) {  // NAME "VALUE";
    const auto quote = line.find(" \"");
    if (quote == std::string::npos || !line.ends_with("\";")) continue;
    std::string name = line.substr(0, quote);
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    const std::string value = line.substr(quote + 2, line.size() - quote - 4);
    if (!value.empty()) proxies.settings[name] = value;
  }
  return proxies;
}

}  // namespace rosbuild
