#include "runtime/ros/ssh_keys.h"

#include <unistd.h>

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

constexpr std::string_view kBegin = "# rancheros: keys of the configuration, written at each boot";
constexpr std::string_view kEnd = "# rancheros: end; keys below are yours";

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

void give_to(const fs::path& path, unsigned uid, unsigned gid) {
  if (::geteuid() != 0) return;  // a test in a folder of its own
  // Links are not followed: the home folder belongs to its user.
  if (::lchown(path.c_str(), uid, gid) != 0)
    throw Error::from_errno("cannot change the owner of " + path.string());
}

}  // namespace

std::string with_configured_keys(std::string_view text, const std::vector<std::string>& keys) {
  std::vector<std::string> configured;
  for (const auto& key : keys) {
    for (const auto& line : split(key, '\n')) {
      const std::string one{trim(line)};
      if (!one.empty() && !contains(configured, one)) configured.push_back(one);
    }
  }
  std::vector<std::string> lines;
  if (!configured.empty()) {
    lines.emplace_back(kBegin);
    lines.insert(lines.end(), configured.begin(), configured.end());
    lines.emplace_back(kEnd);
  }
  // Somebody who removed the last line of the block must not lose what follows.
  const bool closed = text.find(kEnd) != std::string_view::npos;
  bool inside = false;
  for (const auto& raw : split(text, '\n')) {
    const std::string line{trim(raw)};
    if (line == kBegin) inside = closed;
    if (!inside && !line.empty() && line != kBegin && !contains(configured, line))
      lines.push_back(line);
    if (line == kEnd) inside = false;
  }
  return lines.empty() ? std::string{} : join(lines, "\n") + "\n";
}

void write_ssh_keys(const fs::path& home, unsigned uid, unsigned gid,
                    const std::vector<std::string>& keys) {
  const fs::path folder = home / ".ssh";
  const fs::path file = folder / "authorized_keys";
  boost::system::error_code ignored;
  if (fs::is_symlink(folder, ignored) || fs::is_symlink(file, ignored))
    throw Error{file.string() + " is a link; it is left alone"};
  const std::string before = try_read_file(file).value_or("");
  const std::string after = with_configured_keys(before, keys);
  if (after.empty() && before.empty()) return;
  const bool new_home = fs::create_directories(home);
  fs::create_directories(folder);
  fs::permissions(folder, static_cast<fs::perms>(0700));
  if (after != before) write_file_atomically(file, after, 0600);
  if (new_home) give_to(home, uid, gid);
  give_to(folder, uid, gid);
  give_to(file, uid, gid);
}

std::vector<std::string> common_ssh_keys(const Config& config, const Metadata& metadata) {
  std::vector<std::string> keys = config.texts("ssh_authorized_keys");
  keys.insert(keys.end(), metadata.ssh_keys.begin(), metadata.ssh_keys.end());
  return keys;
}

}  // namespace ros
