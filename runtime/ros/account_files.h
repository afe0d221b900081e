// /etc/passwd, /etc/group and /etc/shadow (passwd(5), group(5), shadow(5)) as one value.
//
// The root filesystem is the image's after each boot, so a copy of the three is kept
// with the state: `restored` lays that copy over the image's. Nothing here looks at the
// configuration; accounts.h does.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/file.h"

namespace ros {

struct AccountFiles {
  using Line = std::vector<std::string>;  // the fields
  // Fields of a line, by their place.
  enum Passwd { kUid = 2, kGid = 3, kComment = 4, kHome = 5, kShell = 6, kPasswdFields = 7 };
  enum Group { kGroupId = 2, kMembers = 3, kGroupFields = 4 };
  enum Shadow { kHash = 1, kChanged = 2, kShadowFields = 9 };

  std::vector<Line> passwd, group, shadow;

  bool operator==(const AccountFiles&) const = default;
};

// Of the folder (/etc, or that of the copy). A line that is no account is left out,
// a file that is not there is empty.
AccountFiles load_accounts(const fs::path& folder);
// Each file in one step. shadow stays readable for root and its group only.
void save_accounts(const AccountFiles& files, const fs::path& folder);

// The line whose first field is `name`, or nothing.
AccountFiles::Line* find_account(std::vector<AccountFiles::Line>& lines, std::string_view name);

// The image's accounts with the kept ones: accounts and groups that the image does not
// have are added unless they are in `dropped` or their number is taken, members of groups
// are joined, and the password fields of all are those of the copy.
AccountFiles restored(AccountFiles image, const AccountFiles& kept,
                      const std::set<std::string>& dropped);

// Adds `user` to the members of the group; false when it is one already, or there is no such group.
bool add_member(AccountFiles& files, const std::string& group, const std::string& user);
void remove_member(AccountFiles& files, const std::string& group, const std::string& user);

}  // namespace ros
