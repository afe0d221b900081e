#include "builder/fetch/lock.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// A path that stays below the archive's pool.
bool is_pool_path(const std::string& path) {
  if (!path.starts_with("pool/") || !path.ends_with(".deb")) return false;
  return std::ranges::none_of(ros::split(path, '/'), [](const std::string& part) {
    return part.empty() || part == "." || part == "..";
  });
}

LockedPackage parse_package(const std::vector<std::string>& fields) {
  if (fields.size() != 7)
    throw Error{fmt::format("expected `name version arch archive path size sha256`, found {} words",
                            fields.size())};
  LockedPackage package{fields[0], fields[1], fields[2], fields[3], fields[4], 0, fields[6]};
  if (package.archive != "debian" && package.archive != "debian-security")
    throw Error{fmt::format("archive must be debian or debian-security, not {}", package.archive)};
  if (!is_pool_path(package.path))
    throw Error{fmt::format("not a path of a package in the archive's pool: {}", package.path)};
  const std::string& size = fields[5];
  const auto [end, failed] = std::from_chars(size.data(), size.data() + size.size(), package.size);
  if (failed != std::errc{} || end != size.data() + size.size() || package.size == 0)
    throw Error{fmt::format("size must be a positive number, not {}", size)};
  if (!is_digest(package.sha256))
    throw Error{fmt::format("not a SHA-256 in lower-case hex: {}", package.sha256)};
  return package;
}

}  // namespace

std::set<std::string> Lock::names() const {
  std::set<std::string> all;
  for (const auto& [section, packages] : sections) all.merge(names(section));
  return all;
}

std::set<std::string> Lock::names(const std::string& section) const {
  std::set<std::string> names;
  if (const auto found = sections.find(section); found != sections.end())
    for (const auto& package : found->second) names.insert(package.name);
  return names;
}

Lock parse_lock(std::string_view text, const std::string& file) {
  Lock lock;
  ros::Problems problems;
  std::vector<LockedPackage>* section = nullptr;
  std::set<std::string> names;
  int number = 0;
  for (const std::string& line : ros::split(text, '\n')) {
    ++number;
    const std::string_view trimmed = ros::trim(line);
    if (trimmed.empty() || trimmed.front() == '#') continue;
    try {
      if (trimmed.front() == '[') {
        const auto header = trimmed.back() == ']'
                                ? ros::words(trimmed.substr(1, trimmed.size() - 2))
                                : std::vector<std::string>{};
        if (header.size() != 2) throw Error{"expected `[section digest]`"};
        const std::string& name = header[0];
        if (lock.sections.contains(name)) throw Error{fmt::format("section {} twice", name)};
        section = &lock.sections[name];
        lock.asked[name] = header[1];
        names.clear();
        continue;
      }
      LockedPackage package = parse_package(ros::words(trimmed));
      if (!section) throw Error{"a package before the first `[section digest]`"};
      if (!names.insert(package.name).second)
        throw Error{fmt::format("package {} twice in one section", package.name)};
      section->push_back(std::move(package));
    } catch (Error& error) {
      problems.add(std::move(error).at({file, number, 1}));
    }
  }
  problems.throw_if_any();
  return lock;
}

std::string write_lock(const Lock& lock, const std::string& arch) {
  std::string text = fmt::format(
      "# Packages for {}, exactly. Written by `rosbuild lock`; do not edit.\n"
      "# name version arch archive path size sha256\n",
      arch);
  for (const auto& [name, packages] : lock.sections) {
    text += fmt::format("\n[{} {}]\n", name, lock.asked.at(name));
    auto sorted = packages;
    std::ranges::sort(sorted);
    for (const auto& p : sorted)
      text += fmt::format("{} {} {} {} {} {} {}\n", p.name, p.version, p.arch, p.archive, p.path,
                          p.size, p.sha256);
  }
  return text;
}

}  // namespace rosbuild
