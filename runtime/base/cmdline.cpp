#include "runtime/base/cmdline.h"

#include <algorithm>
#include <charconv>

#include "runtime/base/text.h"

namespace ros {
namespace {

// Looking for the end of what is never closed takes the rest of the line each
// time; a line full of it gets no more than this.
constexpr int kMostMistakes = 16;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0'; }

bool is_escape(std::string_view line, std::size_t at) {
  return line[at] == '\\' && at + 1 < line.size() && (line[at + 1] == '"' || line[at + 1] == '\'');
}

// The end of the word that begins at `begin`, or npos when something in it is
// opened and never closed.
std::size_t protected_end(std::string_view line, std::size_t begin) {
  char quote = 0;
  int brackets = 0;
  for (std::size_t i = begin; i < line.size(); ++i) {
    const char c = line[i];
    if (is_escape(line, i)) {
      ++i;
    } else if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if ((c == '[' || c == '{') && (brackets > 0 || (i > begin && line[i - 1] == '='))) {
      ++brackets;
    } else if ((c == ']' || c == '}') && brackets > 0) {
      --brackets;
    } else if (is_blank(c) && brackets == 0) {
      return i;
    }
  }
  return quote || brackets > 0 ? std::string_view::npos : line.size();
}

// From the first to the last character, that is: 'a'b'c' is not.
bool is_quoted(std::string_view text) {
  if (text.size() < 2 || (text.front() != '"' && text.front() != '\'')) return false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (is_escape(text, i)) {
      ++i;
    } else if (text[i] == text.front()) {
      return i + 1 == text.size();
    }
  }
  return false;
}

std::string_view inside_quotes(std::string_view text) {
  return is_quoted(text) ? text.substr(1, text.size() - 2) : text;
}

std::string without_escapes(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_escape(text, i)) ++i;
    result += text[i];
  }
  return result;
}

CmdlineParameter read_parameter(std::string_view word) {
  const bool whole = is_quoted(word);
  word = inside_quotes(word);
  const auto equals = word.find('=');
  CmdlineParameter parameter;
  parameter.name = inside_quotes(word.substr(0, equals));
  parameter.assigned = equals != word.npos;
  if (parameter.assigned) {
    const auto value = word.substr(equals + 1);
    parameter.quoted = whole || is_quoted(value);
    parameter.value = without_escapes(inside_quotes(value));
  }
  return parameter;
}

}  // namespace

Cmdline::Cmdline(std::string_view line) {
  int mistakes = 0;
  bool extra = false;
  for (std::size_t at = 0; at < line.size();) {
    if (is_blank(line[at])) {
      ++at;
      continue;
    }
    auto end = mistakes < kMostMistakes ? protected_end(line, at) : line.npos;
    if (end == line.npos) {
      ++mistakes;
      end = at;
      while (end < line.size() && !is_blank(line[end])) ++end;
    }
    const auto word = line.substr(at, end - at);
    at = end;
    if (word == "--" && !extra) {
      extra = true;
      extra_ = trim(line.substr(end));
    } else {
      parameters_.push_back(read_parameter(word));
    }
  }
}

const CmdlineParameter* Cmdline::find(std::string_view name) const {
  const auto found = std::find_if(parameters_.rbegin(), parameters_.rend(),
                                  [&](const auto& parameter) { return parameter.name == name; });
  return found == parameters_.rend() ? nullptr : &*found;
}

std::string Cmdline::get(std::string_view name, std::string_view otherwise) const {
  const auto* parameter = find(name);
  if (!parameter) return std::string{otherwise};
  return parameter->assigned ? parameter->value : "true";
}

bool Cmdline::flag(std::string_view name) const { return is_on(get(name)); }

std::vector<std::string> Cmdline::list(std::string_view name) const {
  std::string value = get(name);
  if (value.starts_with('[') && value.ends_with(']')) value = value.substr(1, value.size() - 2);
  std::vector<std::string> result;
  for (const auto& part : split(value, ',')) {
    if (const auto item = inside_quotes(trim(part)); !item.empty()) result.emplace_back(item);
  }
  return result;
}

long Cmdline::number(std::string_view name, long otherwise) const {
  const std::string value = get(name);
  long result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  return error == std::errc{} && end == value.data() + value.size() ? result : otherwise;
}

std::vector<std::string> Cmdline::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& parameter : parameters_) {
    if (parameter.assigned && parameter.name == name) values.push_back(parameter.value);
  }
  return values;
}

bool is_on(std::string_view text) {
  return text == "true" || text == "yes" || text == "on" || text == "1";
}

}  // namespace ros
