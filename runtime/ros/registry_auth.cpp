#include "runtime/ros/registry_auth.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

constexpr const char* kWritten = "/var/lib/rancher/registries";  // those of the last boot
constexpr const char* kHub = "https://index.docker.io/v1/";

// RFC 4648.
std::string encode_base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) {
      return std::uint32_t{at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0U};
    };
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (unsigned symbol = 0; symbol < 4; ++symbol)
      text += i + symbol > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * symbol) & 0x3f];
  }
  return text;
}

struct Home {
  const char* folder;
  unsigned id;  // of user and group
};
constexpr Home kHomes[] = {{"/root", 0}, {"/home/rancher", 1100}, {"/home/docker", 1101}};

std::string name_of(const std::string& host) {
  for (const char* hub : {"docker.io", "index.docker.io", "registry-1.docker.io"}) {
    if (host == hub) return kHub;
  }
  return host;
}

std::string auth_of(const std::string& host, const Value& entry) {
  const auto text = [&](const char* key) {
    const Value* member = entry.find(key);
    return member ? member->text() : std::string{};
  };
  if (auto auth = text("auth"); !auth.empty()) return auth;
  if (text("username").empty() || text("password").empty())
    throw Error{
        fmt::format("rancher.registry_auths: {} has neither auth nor username and password", host),
        Error::Kind::input}
        .at(entry.position());
  return encode_base64(text("username") + ":" + text("password"));
}

void write_home(const Home& home, const Config& config, const std::vector<std::string>& gone) {
  struct stat info = {};
  if (::stat(home.folder, &info) != 0) return;
  const fs::path folder = fs::path{home.folder} / ".docker";
  const fs::path file = folder / "config.json";
  const auto own = try_read_file(file);
  const std::string text = registry_config(config, own.value_or("{}"), gone);
  if (text == own.value_or("{}\n")) return;
  write_file_atomically(file, text, 0600);
  for (const fs::path& path : {folder, file}) {
    if (::lchown(path.c_str(), home.id, home.id) != 0)
      throw Error::from_errno("cannot change the owner of " + path.string());
  }
}

}  // namespace

std::vector<std::string> registries_of(const Config& config) {
  std::vector<std::string> names;
  if (const Value* all = config.find("rancher.registry_auths")) {
    for (const auto& [host, entry] : all->members()) names.push_back(name_of(host));
  }
  return names;
}

std::string registry_config(const Config& config, std::string_view own,
                            const std::vector<std::string>& gone) {
  nlohmann::json json = nlohmann::json::parse(own, nullptr, false);
  if (!json.is_object() || (json.contains("auths") && !json["auths"].is_object()))
    throw Error{"docker's config.json is no JSON object; it is left as it is"};
  if (json.contains("auths")) {
    for (const auto& name : gone) json["auths"].erase(name);
  }
  if (const Value* all = config.find("rancher.registry_auths")) {
    for (const auto& [host, entry] : all->members())
      json["auths"][name_of(host)] = {{"auth", auth_of(host, entry)}};
  }
  return json.dump(2) + "\n";
}

void write_registry_auths(const Config& config, std::vector<std::string>& problems) {
  auto gone = words(try_read_file(kWritten).value_or(""));
  const auto now = registries_of(config);
  std::erase_if(gone, [&](const auto& name) { return std::ranges::count(now, name) > 0; });
  if (now.empty() && gone.empty()) return;
  for (const Home& home : kHomes) {
    try {
      write_home(home, config, gone);
    } catch (const std::exception& error) {
      if (std::ranges::count(problems, error.what()) == 0) problems.emplace_back(error.what());
    }
  }
  write_file_atomically(kWritten, join(now, "\n"), 0600);
}

}  // namespace ros
