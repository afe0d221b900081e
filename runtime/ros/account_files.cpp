#include "runtime/ros/account_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

using Lines = std::vector<AccountFiles::Line>;

Lines parse(const fs::path& file, std::size_t fields) {
  Lines lines;
  for (const auto& text : split(try_read_file(file).value_or(""), '\n')) {
    auto line = split(text, ':');
    if (line.size() == fields && !line[0].empty()) lines.push_back(std::move(line));
  }
  return lines;
}

void write(const Lines& lines, const fs::path& file, unsigned mode) {
  std::string text;
  for (const auto& line : lines) text += join(line, ":") + "\n";
  if (try_read_file(file) == text) return;
  // The new file is root's; the old one's group may be "shadow".
  struct stat old = {};
  const bool exists = ::stat(file.c_str(), &old) == 0;
  write_file_atomically(file, text, mode);
  if (exists && ::geteuid() == 0 && ::chown(file.c_str(), old.st_uid, old.st_gid) != 0)
    throw Error::from_errno("cannot change the owner of " + file.string());
}

bool has_number(const Lines& lines, const std::string& number) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const AccountFiles::Line& line) { return line[2] == number; });
}

void add_others(Lines& lines, const Lines& kept, const std::set<std::string>& dropped) {
  for (const auto& line : kept) {
    const bool wanted = !dropped.contains(line[0]) && !find_account(lines, line[0]);
    if (wanted && !has_number(lines, line[2])) lines.push_back(line);
  }
}

}  // namespace

AccountFiles load_accounts(const fs::path& folder) {
  return {parse(folder / "passwd", AccountFiles::kPasswdFields),
          parse(folder / "group", AccountFiles::kGroupFields),
          parse(folder / "shadow", AccountFiles::kShadowFields)};
}

void save_accounts(const AccountFiles& files, const fs::path& folder) {
  write(files.group, folder / "group", 0644);
  write(files.shadow, folder / "shadow", 0640);
  write(files.passwd, folder / "passwd", 0644);
}

AccountFiles::Line* find_account(std::vector<AccountFiles::Line>& lines, std::string_view name) {
  const auto found = std::find_if(lines.begin(), lines.end(),
                                  [&](const AccountFiles::Line& line) { return line[0] == name; });
  return found == lines.end() ? nullptr : &*found;
}

AccountFiles restored(AccountFiles image, const AccountFiles& kept,
                      const std::set<std::string>& dropped) {
  add_others(image.passwd, kept.passwd, dropped);
  add_others(image.group, kept.group, dropped);
  for (const auto& group : kept.group) {
    for (const auto& member : split(group[AccountFiles::kMembers], ',')) {
      if (find_account(image.passwd, member)) add_member(image, group[0], member);
    }
  }
  for (const auto& line : kept.shadow) {
    if (!find_account(image.passwd, line[0])) continue;
    if (auto* own = find_account(image.shadow, line[0])) {
      *own = line;
    } else {
      image.shadow.push_back(line);
    }
  }
  return image;
}

bool add_member(AccountFiles& files, const std::string& group, const std::string& user) {
  auto* line = find_account(files.group, group);
  if (!line) return false;
  std::string& members = (*line)[AccountFiles::kMembers];
  const auto list = split(members, ',');
  if (std::find(list.begin(), list.end(), user) != list.end()) return false;
  members += (members.empty() ? "" : ",") + user;
  return true;
}

void remove_member(AccountFiles& files, const std::string& group, const std::string& user) {
  auto* line = find_account(files.group, group);
  if (!line) return;
  auto list = split((*line)[AccountFiles::kMembers], ',');
  std::erase(list, user);
  (*line)[AccountFiles::kMembers] = join(list, ",");
}

}  // namespace ros
