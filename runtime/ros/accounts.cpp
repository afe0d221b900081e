#include "runtime/ros/accounts.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/account_config.h"
#include "runtime/ros/account_files.h"
#include "runtime/ros/process.h"
#include "runtime/ros/ssh_keys.h"

namespace ros {
namespace {

constexpr const char* kKept = "var/lib/rancher/accounts";
constexpr const char* kRestored = "run/ros/accounts-restored";
constexpr const char* kBootPassword = "run/ros/boot-password";
constexpr const char* kSudoers = "etc/sudoers.d/cloud-config";
constexpr unsigned kFirstUser = 1102;  // after rancher and docker
constexpr unsigned kFirstSystem = 500;

struct Made {
  std::string uid, gid, digest, hash;
};
using Record = std::map<std::string, Made>;
using Members = std::set<std::pair<std::string, std::string>>;  // group, account

Record load_record(const fs::path& root) {
  Record record;
  for (const auto& text : split(try_read_file(root / kKept / "configured").value_or(""), '\n')) {
    const auto fields = split(text, ':');
    // The versions that had no HASH gave nothing but hashes, of which DIGEST is it.
    if (fields.size() == 4 || fields.size() == 5)
      record[fields[0]] = {fields[1], fields[2], fields[3], fields.back()};
  }
  return record;
}

void save_record(const Record& record, const fs::path& root) {
  std::string text;
  for (const auto& [name, made] : record)
    text += fmt::format("{}:{}:{}:{}:{}\n", name, made.uid, made.gid, made.digest, made.hash);
  write_file_if_changed(root / kKept / "configured", text, 0600);
}

Members load_members(const fs::path& root) {
  Members members;
  for (const auto& text : split(try_read_file(root / kKept / "members").value_or(""), '\n')) {
    const auto fields = split(text, ':');
    if (fields.size() == 2) members.emplace(fields[0], fields[1]);
  }
  return members;
}

void save_members(const Members& members, const fs::path& root) {
  std::string text;
  for (const auto& [group, name] : members) text += group + ":" + name + "\n";
  write_file_if_changed(root / kKept / "members", text, 0600);
}

// As shadow(5) has it.
std::string hashed(const std::string& password) {
  if (password == "*") return password;
  if (password.starts_with('$')) return checked_hash(password);
  if (password.find('\n') != std::string::npos)
    throw Error{"a password is one line", Error::Kind::input};
  return std::string{trim(capture({"openssl", "passwd", "-6", "-stdin"}, password + "\n"))};
}

class Maker {
 public:
  Maker(AccountFiles& files, Record& record) : files_(files), record_(record) {}

  const Members& members() const { return members_; }

  // A membership of the image's is not the configuration's.
  void make_member(const std::string& group, const std::string& name) {
    if (add_member(files_, group, name)) members_.emplace(group, name);
  }

  // Passwords that the configuration gave and gives no more, unless they are others by now.
  void take_back_passwords() {
    for (auto& [name, made] : record_) {
      if (made.digest.empty() || with_password_.contains(name)) continue;
      auto* line = find_account(files_.shadow, name);
      if (line && sha256((*line)[AccountFiles::kHash]) == made.hash)
        (*line)[AccountFiles::kHash] = "*";
      made.digest = made.hash = "";
    }
  }

  void make_group(const std::string& name) {
    check_name(name);
    if (find_account(files_.group, name)) return;
    files_.group.push_back({name, "x", free_number(false), ""});
  }

  void make(const Account& account) {
    if (!find_account(files_.passwd, account.name)) add(account);
    auto& line = *find_account(files_.passwd, account.name);
    if (!account.comment.empty()) line[AccountFiles::kComment] = account.comment;
    if (!account.shell.empty()) line[AccountFiles::kShell] = account.shell;
    if (!account.home.empty()) line[AccountFiles::kHome] = account.home;
    for (const auto& group : account.groups) {
      make_group(group);
      make_member(group, account.name);
    }
    Made& made = record_[account.name];
    made.uid = line[AccountFiles::kUid];
    made.gid = line[AccountFiles::kGid];
    if (!account.password) return;
    with_password_.insert(account.name);
    set_password(account.name, *account.password, made);
  }

 private:
  bool taken(const std::string& number) const {
    const auto has = [&](const std::vector<AccountFiles::Line>& lines) {
      return std::any_of(lines.begin(), lines.end(),
                         [&](const AccountFiles::Line& line) { return line[2] == number; });
    };
    return has(files_.passwd) || has(files_.group) ||
           std::any_of(record_.begin(), record_.end(), [&](const auto& entry) {
             return entry.second.uid == number || entry.second.gid == number;
           });
  }

  std::string free_number(bool system) const {
    for (unsigned number = system ? kFirstSystem : kFirstUser; number < 60000; ++number) {
      if (!taken(std::to_string(number))) return std::to_string(number);
    }
    throw Error{"no number is left for it"};
  }

  void add(const Account& account) {
    const auto known = record_.find(account.name);
    std::string uid = known != record_.end() ? known->second.uid : free_number(account.system);
    if (account.uid) uid = std::to_string(*account.uid);
    for (const auto& line : files_.passwd) {
      if (line[AccountFiles::kUid] == uid)
        throw Error{fmt::format("uid {} belongs to {}", uid, line[0]), Error::Kind::input};
    }
    const std::string group = account.primary_group.empty() ? account.name : account.primary_group;
    if (!find_account(files_.group, group) && account.primary_group.empty()) {
      const bool free = std::none_of(files_.group.begin(), files_.group.end(),
                                     [&](const auto& line) { return line[2] == uid; });
      files_.group.push_back({group, "x", free ? uid : free_number(account.system), ""});
    }
    make_group(group);
    files_.passwd.push_back({account.name, "x", uid,
                             (*find_account(files_.group, group))[AccountFiles::kGroupId], "",
                             "/home/" + account.name, "/bin/bash"});
    if (!find_account(files_.shadow, account.name))
      files_.shadow.push_back({account.name, "*", "1", "0", "99999", "7", "", "", ""});
  }

  void set_password(const std::string& name, const std::string& password, Made& made) {
    const std::string digest = sha256(password);
    if (made.digest == digest) return;  // passwd may have changed it since
    const std::string hash = hashed(password);
    made.digest = digest;
    made.hash = sha256(hash);
    if (auto* line = find_account(files_.shadow, name)) (*line)[AccountFiles::kHash] = hash;
  }

  AccountFiles& files_;
  Record& record_;
  Members members_{};
  std::set<std::string> with_password_{};
};

void own(const fs::path& path, unsigned uid, unsigned gid) {
  if (::geteuid() == 0 && ::lchown(path.c_str(), uid, gid) != 0)
    throw Error::from_errno("cannot change the owner of " + path.string());
}

// The folder with what /etc/skel has; one that is there keeps what it has.
void make_home(const fs::path& root, const AccountFiles::Line& line) {
  const fs::path home = root / line[AccountFiles::kHome].substr(1);
  if (!fs::create_directories(home)) return;
  const auto uid = static_cast<unsigned>(std::stoul(line[AccountFiles::kUid]));
  const auto gid = static_cast<unsigned>(std::stoul(line[AccountFiles::kGid]));
  fs::permissions(home, static_cast<fs::perms>(0755));
  own(home, uid, gid);
  boost::system::error_code absent;
  for (fs::directory_iterator it{root / "etc/skel", absent}, end; it != end; it.increment(absent)) {
    if (!fs::is_regular_file(it->path())) continue;
    fs::copy_file(it->path(), home / it->path().filename());
    own(home / it->path().filename(), uid, gid);
  }
}

void write_sudoers(const std::vector<Account>& accounts, const fs::path& root) {
  std::string text;
  for (const auto& account : accounts) {
    for (const auto& rule : account.sudo) {
      if (rule.find('\n') == std::string::npos) text += account.name + " " + rule + "\n";
    }
  }
  if (text.empty()) {
    fs::remove(root / kSudoers);
  } else {
    write_file_atomically(root / kSudoers, text, 0440);
  }
}

void make_groups(Maker& maker, AccountFiles& files, const Config& config,
                 std::vector<std::string>& problems) {
  const Value* groups = config.find("groups");
  if (!groups) return;
  const auto make = [&](const std::string& name, const Value* members, const Position& at) {
    try {
      maker.make_group(name);
      for (const auto& member : names_of(members)) {
        if (!find_account(files.passwd, member))
          throw Error{fmt::format("{} is no account", member), Error::Kind::input};
        maker.make_member(name, member);
      }
    } catch (const Error& error) {
      problems.push_back(located(at, fmt::format("groups: {}: {}", name, error.what())));
    }
  };
  const auto make_map = [&](const Value& map) {
    for (const auto& [name, members] : map.members()) make(name, &members, members.position());
  };
  if (groups->is_scalar())
    for (const auto& name : names_of(groups)) make(name, nullptr, groups->position());
  for (const auto& item : groups->items()) {
    for (const auto& name : item.is_scalar() ? names_of(&item) : std::vector<std::string>{})
      make(name, nullptr, item.position());
    make_map(item);
  }
  make_map(*groups);
}

}  // namespace

void prepare_accounts(const Config& config, std::vector<std::string>& problems,
                      const fs::path& root) {
  const auto accounts = configured_accounts(config, problems);
  Record record = load_record(root);
  AccountFiles files = load_accounts(root / "etc");
  const Members given = load_members(root);
  if (fs::exists(root / kRestored)) {
    for (const auto& [group, name] : given) remove_member(files, group, name);
  } else {
    std::set<std::string> dropped;
    for (const auto& entry : record) dropped.insert(entry.first);
    for (const auto& account : accounts) dropped.erase(account.name);
    AccountFiles kept = load_accounts(root / kKept);
    for (const auto& [group, name] : given) remove_member(kept, group, name);
    files = restored(std::move(files), kept, dropped);
  }
  Maker maker{files, record};
  std::vector<Account> made;
  for (const auto& account : accounts) {
    try {
      maker.make(account);
      made.push_back(account);
    } catch (const Error& error) {
      problems.push_back(
          located(account.position, fmt::format("users: {}: {}", account.name, error.what())));
    }
  }
  make_groups(maker, files, config, problems);
  maker.take_back_passwords();
  save_accounts(files, root / "etc");
  write_file(root / kRestored, "");
  save_record(record, root);
  save_members(maker.members(), root);
  write_sudoers(made, root);
  for (const auto& account : made) {
    const auto& line = *find_account(files.passwd, account.name);
    try {
      if (account.create_home) make_home(root, line);
      if (account.name == "rancher" || account.name == "docker") continue;  // with the common ones
      write_ssh_keys(root / line[AccountFiles::kHome].substr(1),
                     static_cast<unsigned>(std::stoul(line[AccountFiles::kUid])),
                     static_cast<unsigned>(std::stoul(line[AccountFiles::kGid])), account.keys);
    } catch (const std::exception& error) {
      problems.push_back(
          located(account.position, fmt::format("users: {}: {}", account.name, error.what())));
    }
  }
}

void note_boot_password(const std::string& before, const std::string& line, const fs::path& root) {
  const auto noted = split(try_read_file(root / kBootPassword).value_or(""), '\n');
  // The second time in one boot, `before` is the line of the first.
  const bool again = noted.size() > 1 && noted[1] == before;
  write_file(root / kBootPassword, (again ? noted[0] : before) + "\n" + line + "\n", 0600);
}

void keep_accounts(const fs::path& root) {
  AccountFiles files = load_accounts(root / "etc");
  if (files.passwd.empty() || files.shadow.empty()) return;
  const auto lines = split(try_read_file(root / kBootPassword).value_or(""), '\n');
  for (auto& line : files.shadow) {
    if (lines.size() > 1 && join(line, ":") == lines[1]) line = split(lines[0], ':');
  }
  fs::create_directories(root / kKept);
  fs::permissions(root / kKept, static_cast<fs::perms>(0700));
  save_accounts(files, root / kKept);
}

}  // namespace ros
