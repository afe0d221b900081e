// Users and groups: the passwd, group, shadow and gshadow files of a layer,
// made from base-passwd's masters (or the layers below) and the recipe. Ids are
// fixed in the recipe; no password is ever set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/os/tree.h"
#include "runtime/base/error.h"

namespace rosbuild {

struct User {
  std::string name;
  std::uint32_t uid = 0;
  std::string group;  // primary group, by name
  std::string home;
  std::string shell;
  std::vector<std::string> groups;  // supplementary, by name
  ros::Position at = {};
};

struct Group {
  std::string name;
  std::uint32_t gid = 0;
  ros::Position at = {};
};

class Accounts {
 public:
  // From the text of existing files; the masters of base-passwd have the same form.
  Accounts(std::string_view passwd, std::string_view group);

  // Throw ros::Error, with the entry's position, when a name or id is taken by another entry, or a
  // group is not known. An equal entry is accepted.
  void add(const Group& group);
  void add(const User& user);

  std::uint32_t uid(const std::string& user) const;  // throws ros::Error when unknown
  std::uint32_t gid(const std::string& group) const;
  std::uint32_t primary_gid(const std::string& user) const;

  // Writes etc/passwd, etc/group, etc/shadow, etc/gshadow. Every password is
  // "*"; `epoch` gives shadow's day of last change.
  void write(Tree& tree, std::int64_t epoch) const;

 private:
  std::vector<std::vector<std::string>> passwd_;  // fields of each line
  std::vector<std::vector<std::string>> group_;
};

}  // namespace rosbuild
