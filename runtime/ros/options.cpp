#include "runtime/ros/options.h"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace ros {

std::string take_option(Arguments& arguments, std::string_view brief, std::string_view name) {
  const std::string assigned = std::string{name} + "=";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto at = arguments.begin() + static_cast<std::ptrdiff_t>(i);
    if (arguments[i].starts_with(assigned)) {
      const std::string value = arguments[i].substr(assigned.size());
      arguments.erase(at);
      return value;
    }
    if (arguments[i] != brief && arguments[i] != name) continue;
    if (i + 1 == arguments.size()) throw Error{arguments[i] + " needs a value", Error::Kind::usage};
    const std::string value = arguments[i + 1];
    arguments.erase(at, at + 2);
    return value;
  }
  return {};
}

bool take_flag(Arguments& arguments, std::string_view brief, std::string_view name) {
  return std::erase_if(arguments, [&](const std::string& argument) {
           return argument == brief || argument == name;
         }) > 0;
}

void expect_words(const Arguments& arguments, std::size_t least, std::size_t most,
                  const std::string& verb) {
  for (const auto& argument : arguments)
    if (argument.starts_with('-'))
      throw Error{fmt::format("{}: unknown option {}", verb, argument), Error::Kind::usage}.hint(
          verb + " --help");
  if (arguments.size() < least || arguments.size() > most)
    throw Error{arguments.size() < least ? verb + ": something is missing"
                                         : fmt::format("{}: {} is too much", verb, arguments[most]),
                Error::Kind::usage}
        .hint(verb + " --help");
}

bool confirm(const std::string& question) {
  fmt::print(stderr, "{} [y/N] ", question);
  std::string answer;
  std::getline(std::cin, answer);
  answer = trim(answer);
  return answer == "y" || answer == "yes";
}

}  // namespace ros
