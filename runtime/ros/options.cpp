#include "runtime/ros/options.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <iostream>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

// An option without a brief form has "" for it, which an argument may be too.
bool is_either(std::string_view argument, std::string_view brief, std::string_view name) {
  return !argument.empty() && (argument == brief || argument == name);
}

}  // namespace

std::string take_option(Arguments& arguments, std::string_view brief, std::string_view name) {
  const std::string assigned = std::string{name} + "=";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto at = arguments.begin() + static_cast<std::ptrdiff_t>(i);
    if (arguments[i].starts_with(assigned)) {
      const std::string value = arguments[i].substr(assigned.size());
      arguments.erase(at);
      return value;
    }
    if (!is_either(arguments[i], brief, name)) continue;
    if (i + 1 == arguments.size()) throw Error{arguments[i] + " needs a value", Error::Kind::usage};
    const std::string value = arguments[i + 1];
    arguments.erase(at, at + 2);
    return value;
  }
  return {};
}

int take_number(Arguments& arguments, std::string_view brief, std::string_view name, int otherwise,
                int most) {
  const std::string text = take_option(arguments, brief, name);
  if (text.empty()) return otherwise;
  int number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || end != text.data() + text.size() || number < 0 || number > most)
    throw Error{
        fmt::format("{} needs a number{}, not {}", name,
                    most < std::numeric_limits<int>::max() ? fmt::format(" of at most {}", most)
                                                           : std::string{},
                    text),
        Error::Kind::usage};
  return number;
}

bool take_flag(Arguments& arguments, std::string_view brief, std::string_view name) {
  return std::erase_if(arguments, [&](const std::string& argument) {
           return is_either(argument, brief, name);
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
