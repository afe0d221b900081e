// `users` of the configuration, in cloud-init's words, as accounts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

struct Account {
  std::string name, comment, home, shell, primary_group;
  std::optional<unsigned> uid;
  std::vector<std::string> groups, keys, sudo;
  std::optional<std::string> password;  // as in shadow(5), "*" is none; or the password itself
  bool system = false;
  bool create_home = true;
  Position position;
};

// `default` stands for rancher, which is always there. `user` and `password` of cloud-init's older
// form are an account too. An account that is wrong is left out and named in `problems`.
std::vector<Account> configured_accounts(const Config& config, std::vector<std::string>& problems);

// "a, b", [a, b] and the keys of a map mean the same.
std::vector<std::string> names_of(const Value* value);
// Of an account or a group. Throws Error (kind input).
void check_name(const std::string& name);
// A password hash as shadow(5) has it. Throws Error (kind input).
const std::string& checked_hash(const std::string& text);
std::string located(const Position& at, std::string_view what);  // FILE:LINE:COLUMN: WHAT

}  // namespace ros
