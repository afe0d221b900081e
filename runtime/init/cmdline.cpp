#include "runtime/init/cmdline.h"

#include <charconv>

#include "runtime/base/text.h"

namespace ros {
namespace {

std::string unquoted(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
      text.back() == text.front())
    text = text.substr(1, text.size() - 2);
  return std::string{text};
}

}  // namespace

std::vector<std::string> cmdline_words(std::string_view text) {
  std::vector<std::string> result;
  std::string word;
  bool quoted = false;
  int brackets = 0;  // "[/dev/sda, /dev/vda]" is one word, whatever the kernel thinks of it
  const auto finish = [&] {
    if (!word.empty()) result.push_back(std::move(word));
    word.clear();
    brackets = 0;
  };
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\0';
    if (c == '"') {
      quoted = !quoted;
    } else if (blank && !quoted && brackets == 0) {
      finish();
    } else {
      if (c == '[' && (brackets > 0 || word.ends_with('='))) ++brackets;
      if (c == ']' && brackets > 0) --brackets;
      word += c;
    }
  }
  // A bracket that is never closed must not swallow the rest of the line.
  if (brackets > 0 && word.find(' ') != word.npos) {
    const auto rest = word.substr(word.find(' ') + 1);
    word.resize(word.find(' '));
    finish();
    for (auto& more : cmdline_words(rest)) result.push_back(std::move(more));
  } else {
    finish();
  }
  return result;
}

Cmdline::Cmdline(std::string_view text, const std::vector<std::string>& arguments) {
  for (const auto& word : cmdline_words(text)) add(word);
  for (const auto& word : arguments) add(word);
}

void Cmdline::add(std::string_view word) {
  if (!word.starts_with("rancher.") && !word.starts_with("cc.")) return;
  const auto equals = word.find('=');
  const std::string key{word.substr(0, equals)};
  values_[key] = equals == word.npos ? "true" : unquoted(word.substr(equals + 1));
}

std::string Cmdline::get(const std::string& key, std::string_view otherwise) const {
  const auto found = values_.find(key);
  return found == values_.end() ? std::string{otherwise} : found->second;
}

bool Cmdline::flag(const std::string& key) const {
  const std::string value = get(key);
  return value == "true" || value == "yes" || value == "on" || value == "1";
}

std::vector<std::string> Cmdline::list(const std::string& key) const {
  std::string value = get(key);
  if (value.starts_with('[') && value.ends_with(']')) value = value.substr(1, value.size() - 2);
  std::vector<std::string> result;
  for (const auto& part : split(value, ','))
    if (auto item = unquoted(part); !item.empty()) result.push_back(std::move(item));
  return result;
}

long Cmdline::number(const std::string& key, long otherwise) const {
  const std::string value = get(key);
  long result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  return error == std::errc{} && end == value.data() + value.size() ? result : otherwise;
}

}  // namespace ros
