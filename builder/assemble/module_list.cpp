#include "builder/assemble/module_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {

using ros::Error;

namespace {

struct Line {
  std::string text;  // without comment and blanks
  int number = 0;
};

std::vector<Line> lines_of(const ModuleList& list) {
  std::vector<Line> lines;
  int number = 0;
  for (const auto& line : ros::split(list.text, '\n')) {
    ++number;
    const std::string text(ros::trim(line.substr(0, line.find('#'))));
    if (!text.empty()) lines.push_back({text, number});
  }
  return lines;
}

}  // namespace

std::string ModuleNames::normal(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

std::string ModuleNames::name_of(const std::string& stem) {
  return normal(stem.substr(stem.rfind('/') + 1));
}

void ModuleNames::add(const std::string& stem) {
  stems_.insert(stem);
  by_name_[name_of(stem)] = stem;
}

void ModuleNames::add_builtin(const std::string& name) { builtin_.insert(normal(name)); }

std::string ModuleNames::stem(const std::string& name) const {
  const auto found = by_name_.find(normal(name));
  return found == by_name_.end() ? std::string{} : found->second;
}

bool ModuleNames::builtin(const std::string& name) const { return builtin_.contains(normal(name)); }

std::set<std::string> ModuleNames::match(const std::string& pattern) const {
  std::set<std::string> found;
  if (pattern.find('/') == std::string::npos) {
    for (const auto& [name, stem] : by_name_)
      if (ros::glob_match(normal(pattern), name)) found.insert(stem);
    return found;
  }
  const std::string start = pattern.substr(0, pattern.find_first_of("*?[\\"));
  for (const auto& stem : stems_)
    if (stem.starts_with(start) && ros::glob_match(pattern, stem)) found.insert(stem);
  return found;
}

// Patterns of the lines that start with "!".
std::set<std::string> ModuleNames::find_absent(const std::vector<ModuleList>& lists,
                                               ros::Problems& problems) const {
  std::set<std::string> absent;
  for (const auto& list : lists)
    for (const auto& [line, number] : lines_of(list)) {
      if (!line.starts_with('!')) continue;
      const std::string pattern = line.substr(1);
      if (match(pattern).empty() && !builtin(pattern))
        absent.insert(pattern);
      else
        problems.add(Error{fmt::format("the kernel has {}", pattern), Error::Kind::input}
                         .at({list.file, number, 1})
                         .hint("take the line out"));
    }
  return absent;
}

std::set<std::string> ModuleNames::choose(const std::vector<ModuleList>& lists) const {
  std::set<std::string> all;
  ros::Problems problems;
  const auto absent = find_absent(lists, problems);
  for (const auto& list : lists) {
    std::set<std::string> chosen;
    for (const auto& [line, number] : lines_of(list)) {
      if (line.starts_with('!')) continue;
      const bool away = line.starts_with('-');
      const std::string pattern = line.substr(away ? 1 : 0);
      if (absent.contains(pattern)) continue;
      const auto found = match(pattern);
      if (found.empty() && !builtin(pattern)) {
        std::vector<std::string> names;
        for (const auto& [name, stem] : by_name_) names.push_back(name);
        Error error{fmt::format("the kernel has no module {}", pattern), Error::Kind::input};
        if (const auto near = ros::nearest(normal(pattern), names))
          error = Error{error}.hint(fmt::format("did you mean {}?", *near));
        problems.add(Error{error}.at({list.file, number, 1}));
      }
      for (const auto& stem : found) {
        if (away)
          chosen.erase(stem);
        else
          chosen.insert(stem);
      }
    }
    all.merge(chosen);
  }
  problems.throw_if_any();
  return all;
}

}  // namespace rosbuild
