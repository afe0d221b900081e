#include "builder/assemble/accounts.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;
using Fields = std::vector<std::string>;

// passwd(5): name:x:uid:gid:comment:home:shell, group(5): name:x:gid:members.
constexpr std::size_t kPasswdFields = 7;
constexpr std::size_t kGroupFields = 4;

std::vector<Fields> parse(std::string_view text, std::size_t count) {
  std::vector<Fields> lines;
  for (const auto& line : ros::split(text, '\n')) {
    if (ros::trim(line).empty()) continue;
    auto fields = ros::split(line, ':');
    if (fields.size() != count) throw Error{fmt::format("not an account: {}", line)};
    lines.push_back(std::move(fields));
  }
  return lines;
}

const Fields* find(const std::vector<Fields>& lines, std::size_t field, const std::string& value) {
  const auto found =
      std::ranges::find_if(lines, [&](const Fields& fields) { return fields[field] == value; });
  return found == lines.end() ? nullptr : &*found;
}

std::uint32_t id(const std::vector<Fields>& lines, const std::string& name, std::size_t field,
                 std::string_view kind) {
  const Fields* fields = find(lines, 0, name);
  if (!fields) {
    std::vector<std::string> names;
    for (const auto& line : lines) names.push_back(line[0]);
    Error error{fmt::format("unknown {} {}", kind, name), Error::Kind::input};
    const auto near = ros::nearest(name, names);
    if (near) throw std::move(error).hint(fmt::format("did you mean {}?", *near));
    throw error;
  }
  return static_cast<std::uint32_t>(std::stoul((*fields)[field]));
}

// Adds a line unless an equal one is there; refuses a taken name or id.
void add_line(std::vector<Fields>& lines, Fields added, std::size_t compared,
              std::string_view kind) {
  if (const Fields* same = find(lines, 0, added[0])) {
    if (std::equal(same->begin() + 2, same->begin() + static_cast<std::ptrdiff_t>(compared),
                   added.begin() + 2))
      return;
    throw Error{fmt::format("{} {} is there already, with other values", kind, added[0]),
                Error::Kind::input};
  }
  if (const Fields* same = find(lines, 2, added[2]))
    throw Error{fmt::format("{} {}: id {} belongs to {}", kind, added[0], added[2], (*same)[0]),
                Error::Kind::input};
  lines.push_back(std::move(added));
}

void check_name(const std::string& name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_-";
  if (name.empty() || name.size() > 32 || name.find_first_not_of(kAllowed) != std::string::npos ||
      name.front() == '-')
    throw Error{fmt::format("not a user or group name: {}", name), Error::Kind::input};
}

}  // namespace

Accounts::Accounts(std::string_view passwd, std::string_view group)
    : passwd_(parse(passwd, kPasswdFields)), group_(parse(group, kGroupFields)) {
  for (auto& fields : passwd_) fields[1] = "x";
  for (auto& fields : group_) fields[1] = "x";
}

void Accounts::add(const Group& group) try {
  check_name(group.name);
  add_line(group_, {group.name, "x", std::to_string(group.gid), ""}, 3, "group");
} catch (Error& error) {
  throw std::move(error).at(group.at);
}

void Accounts::add(const User& user) try {
  check_name(user.name);
  const auto group_id = std::to_string(gid(user.group));
  add_line(passwd_, {user.name, "x", std::to_string(user.uid), group_id, "", user.home, user.shell},
           kPasswdFields, "user");
  for (const auto& name : user.groups) {
    gid(name);
    auto& members =
        std::ranges::find_if(group_, [&](const Fields& f) { return f[0] == name; })->at(3);
    auto list = members.empty() ? Fields{} : ros::split(members, ',');
    if (std::ranges::find(list, user.name) == list.end()) list.push_back(user.name);
    members = ros::join(list, ",");
  }
} catch (Error& error) {
  throw std::move(error).at(user.at);
}

std::uint32_t Accounts::uid(const std::string& user) const { return id(passwd_, user, 2, "user"); }
std::uint32_t Accounts::gid(const std::string& group) const {
  return id(group_, group, 2, "group");
}
std::uint32_t Accounts::primary_gid(const std::string& user) const {
  return id(passwd_, user, 3, "user");
}

void Accounts::write(Tree& tree, std::int64_t epoch) const {
  std::string passwd;
  std::string shadow;
  for (const auto& fields : passwd_) {
    passwd += ros::join(fields, ":") + "\n";
    shadow += fmt::format("{}:*:{}:0:99999:7:::\n", fields[0], epoch / 86400);
  }
  std::string group;
  std::string gshadow;
  for (const auto& fields : group_) {
    group += ros::join(fields, ":") + "\n";
    gshadow += fmt::format("{}:*::{}\n", fields[0], fields[3]);
  }
  const std::uint32_t shadow_gid = find(group_, 0, "shadow") ? gid("shadow") : 0;
  tree.put("etc/passwd", Entry{.mtime = epoch, .content = passwd});
  tree.put("etc/group", Entry{.mtime = epoch, .content = group});
  tree.put("etc/shadow", Entry{.mode = 0640, .gid = shadow_gid, .mtime = epoch, .content = shadow});
  tree.put("etc/gshadow",
           Entry{.mode = 0640, .gid = shadow_gid, .mtime = epoch, .content = gshadow});
}

}  // namespace rosbuild
