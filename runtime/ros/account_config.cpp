#include "runtime/ros/account_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace ros {

std::vector<std::string> names_of(const Value* value) {
  std::vector<std::string> names;
  if (!value) return names;
  for (const auto& text : value->as_texts()) {
    for (const auto& part : split(text, ',')) {
      if (!trim(part).empty()) names.emplace_back(trim(part));
    }
  }
  for (const auto& member : value->members()) names.push_back(member.first);
  return names;
}

void check_name(const std::string& name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  const bool number = name.find_first_not_of("0123456789") == std::string::npos;
  if (name.size() > 32 || number || name.front() == '-' || name.front() == '.' ||
      name.find_first_not_of(kAllowed) != std::string::npos)
    throw Error{fmt::format("{} is no name for an account or a group", quote(name)),
                Error::Kind::input};
}

const std::string& checked_hash(const std::string& text) {
  if (!text.starts_with('$') || text.find_first_of(": \n") != std::string::npos)
    throw Error{"passwd must be a hash", Error::Kind::input}.hint("openssl passwd -6 makes one");
  return text;
}

std::string located(const Position& at, std::string_view what) {
  return fmt::format("{}:{}:{}: {}", at.file, at.line, at.column, what);
}

namespace {

Account read_account(const std::string& name, const Value& value) {
  Account account;
  account.name = name;
  account.position = value.position();
  const auto text = [&](const char* key) {
    const Value* member = value.find(key);
    std::string found = member ? member->text() : std::string{};
    if (found.find_first_of(":\n") != std::string::npos)
      throw Error{fmt::format("{} must have no colon and no second line", key), Error::Kind::input};
    return found;
  };
  const auto flag = [&](const char* key, bool otherwise) {
    const Value* member = value.find(key);
    return member ? member->as_bool().value_or(otherwise) : otherwise;
  };
  if (name.empty()) throw Error{"it has no name", Error::Kind::input};
  check_name(name);
  account.comment = text("gecos");
  account.home = text("homedir");
  if (!account.home.empty() && !account.home.starts_with('/'))
    throw Error{"homedir must begin with /", Error::Kind::input};
  account.shell = text("shell");
  account.primary_group = text("primary_group");
  account.groups = names_of(value.find("groups"));
  if (const Value* keys = value.find("ssh_authorized_keys")) account.keys = keys->as_texts();
  if (const Value* sudo = value.find("sudo"); sudo && sudo->as_bool() != false)
    account.sudo = sudo->as_texts();
  if (const Value* uid = value.find("uid")) {
    const auto number = uid->as_int();
    if (!number || *number < 1 || *number > 60000)
      throw Error{"uid must be a number from 1 to 60000", Error::Kind::input};
    account.uid = static_cast<unsigned>(*number);
  }
  account.system = flag("system", false);
  account.create_home = !account.system && !flag("no_create_home", false);
  // "*" and not "!": sshd refuses every login of an account that has "!".
  const std::string passwd = text(value.find("hashed_passwd") ? "hashed_passwd" : "passwd");
  const Value* plain = value.find("plain_text_passwd");
  if (passwd.empty() && (!plain || plain->text().empty())) {
    if (flag("lock_passwd", false)) account.password = "*";
  } else if (flag("lock_passwd", true)) {
    account.password = "*";
  } else {
    account.password = passwd.empty() ? plain->text() : checked_hash(passwd);
  }
  return account;
}

// `user` and `password`: the account that upstream's images have for their owner.
void add_older_form(const Config& config, std::vector<Account>& accounts) {
  const std::string name = config.text("user", "rancher"), password = config.text("password");
  if (name == "rancher" && password.empty()) return;
  auto found = std::ranges::find(accounts, name, &Account::name);
  if (found == accounts.end()) {
    Account account{.name = name, .groups = {"docker"}};
    account.keys = config.texts("ssh_authorized_keys");
    account.sudo = {"ALL=(ALL) NOPASSWD:ALL"};
    found = accounts.insert(accounts.end(), std::move(account));
  }
  const Value* from = config.find(password.empty() ? "user" : "password");
  found->position = from->position();
  if (!password.empty()) found->password = password;
}

}  // namespace

std::vector<Account> configured_accounts(const Config& config, std::vector<std::string>& problems) {
  std::vector<Account> accounts;
  const auto add = [&](const std::string& name, const Value& value) {
    if (name == "default") return;
    try {
      accounts.push_back(read_account(name, value));
    } catch (const Error& error) {
      problems.push_back(
          located(value.position(), fmt::format("users: {}: {}", name, error.what())));
    }
  };
  const auto add_names = [&](const Value& value) {
    for (const auto& name : names_of(&value)) {
      Value plain = Value::map();
      plain.set_position(value.position());
      add(name, plain);
    }
  };
  const Value* users = config.find("users");
  if (!users) {
    add_older_form(config, accounts);
    return accounts;
  }
  if (users->is_scalar()) add_names(*users);
  for (const auto& item : users->items()) {
    if (item.is_scalar()) {
      add_names(item);
    } else {
      const Value* name = item.find("name");
      add(name ? name->text() : "", item);
    }
  }
  for (const auto& [name, value] : users->members()) add(name, value);
  add_older_form(config, accounts);
  return accounts;
}

}  // namespace ros
