#include "builder/assemble/module_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {

using ros::Error;

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

std::set<std::string> ModuleNames::choose(const std::vector<ModuleList>& lists) const {
  std::set<std::string> all;
  ros::Problems problems;
  for (const auto& list : lists) {
    std::set<std::string> chosen;
    int number = 0;
    for (const auto& line : ros::split(list.text, '\n')) {
      ++number;
      std::string pattern(ros::trim(line.substr(0, line.find('#'))));
      if (pattern.empty()) continue;
      const bool away = pattern.starts_with('-');
      if (away) pattern.erase(0, 1);
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
