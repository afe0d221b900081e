#include "runtime/config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "runtime/base/text.h"
#include "runtime/config/schema.h"

namespace ros {
namespace {

constexpr const char* kCommandLine = "kernel command line";

// The user-data header of a cloud-config is a YAML comment; a byte order mark
// and carriage returns come with files made elsewhere.
std::string normalised(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return replace_all(std::string{text}, "\r\n", "\n");
}

void add_tree(Config& config, Value tree) {
  std::vector<Error> problems;
  validate(tree, problems);
  for (const auto& problem : problems) config.problems.emplace_back(problem.what());
  if (tree.is_map()) merge(config.tree, tree);
}

fs::path user_config(const fs::path& root) { return root / kConfigFolder / "cloud-config.yml"; }

void change_user_config(const fs::path& root, const std::function<void(Value&)>& change) {
  const auto path = user_config(root);
  const FileLock lock{root / kConfigFolder / ".lock"};
  Value tree = Value::map();
  if (const auto text = try_read_file(path)) tree = parse_yaml(normalised(*text), path.string());
  if (tree.is_null()) tree = Value::map();
  std::vector<Error> before;
  Value copy = tree;
  validate(copy, before);
  change(tree);
  copy = tree;
  std::vector<Error> after;
  validate(copy, after);
  if (after.size() > before.size()) {
    Problems all;
    for (const auto& error : after) all.add(error);
    all.throw_if_any();
  }
  write_file_atomically(path, "#cloud-config\n" + to_yaml(tree), 0600);
}

// Splits at blanks outside of quotes and brackets; quotes stay in the words.
std::vector<std::string> command_line_words(std::string_view line) {
  std::vector<std::string> found;
  std::string word;
  char quoted = 0;
  int depth = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\\' && i + 1 < line.size() && (line[i + 1] == '"' || line[i + 1] == '\'')) {
      word += line[++i];
      continue;
    }
    if (quoted) {
      if (c == quoted) quoted = 0;
    } else if (c == '"' || c == '\'') {
      quoted = c;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    }
    if (!quoted && depth <= 0 && (c == ' ' || c == '\t' || c == '\n')) {
      if (!word.empty()) found.push_back(std::move(word));
      word.clear();
      depth = 0;
      continue;
    }
    word += c;
  }
  if (!word.empty()) found.push_back(std::move(word));
  return found;
}

std::string unquoted(std::string text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
      text.back() == text.front()) {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

// A value is YAML when it is written as a list or map; anything else is taken
// as it stands, so that colons and question marks need no quotes.
Value command_line_value(const std::string& text) {
  if (text.starts_with('[') || text.starts_with('{')) {
    try {
      return parse_yaml(text, kCommandLine);
    } catch (const Error&) {
      return Value::scalar(text);
    }
  }
  const std::string bare = unquoted(text);
  return Value::scalar(bare, bare == text);
}

}  // namespace

std::string Config::text(std::string_view path, std::string_view otherwise) const {
  const Value* value = find(path);
  return std::string{value && value->is_scalar() ? value->text() : otherwise};
}

bool Config::flag(std::string_view path, bool otherwise) const {
  const Value* value = find(path);
  return value ? value->as_bool().value_or(otherwise) : otherwise;
}

std::int64_t Config::integer(std::string_view path, std::int64_t otherwise) const {
  const Value* value = find(path);
  return value ? value->as_int().value_or(otherwise) : otherwise;
}

std::vector<std::string> Config::texts(std::string_view path) const {
  const Value* value = find(path);
  return value ? value->as_texts() : std::vector<std::string>{};
}

std::vector<std::pair<std::string, std::string>> Config::pairs(std::string_view path) const {
  const Value* value = find(path);
  return value ? as_pairs(*value) : std::vector<std::pair<std::string, std::string>>{};
}

std::vector<std::pair<std::string, std::string>> as_pairs(const Value& value) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [name, member] : value.members()) pairs.emplace_back(name, member.text());
  for (const auto& item : value.items()) {
    const auto& text = item.text();
    const auto equals = text.find('=');
    pairs.emplace_back(text.substr(0, equals),
                       equals == std::string::npos ? "" : text.substr(equals + 1));
  }
  return pairs;
}

void add_layer(Config& config, std::string_view text, const std::string& file) {
  try {
    add_tree(config, parse_yaml(normalised(text), file));
  } catch (const Error& error) {
    config.problems.emplace_back(error.what());
  }
}

Config load_config(const fs::path& root, ConfigLayers layers) {
  Config config;
  const auto add_file = [&](const fs::path& path) {
    if (const auto text = try_read_file(path)) add_layer(config, *text, path.string());
  };
  if (layers.defaults) {
    for (const char* file : {kOsConfig, kPlatformConfig, kOemConfig}) add_file(root / file);
  }

  std::vector<fs::path> files;
  boost::system::error_code ignored;
  for (fs::directory_iterator it{root / kConfigFolder / "cloud-config.d", ignored}, end; it != end;
       it.increment(ignored)) {
    const auto name = it->path().filename().string();
    if (!name.starts_with('.') && name.ends_with(".yml")) files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) add_file(file);
  add_file(user_config(root));

  if (layers.command_line) {
    if (const auto line = try_read_file(root / "proc/cmdline")) {
      add_tree(config, parse_command_line(*line));
    }
  }
  return config;
}

Value parse_command_line(std::string_view line) {
  Value tree = Value::map();
  for (const auto& word : command_line_words(line)) {
    const auto equals = word.find('=');
    std::string name = unquoted(word.substr(0, equals));
    if (name.starts_with("cc.")) {
      name.erase(0, 3);
    } else if (!name.starts_with("rancher.")) {
      continue;
    }
    if (name.empty() || name.ends_with('.') || name.find("..") != std::string::npos) continue;
    Value value = equals == std::string::npos ? Value::boolean(true)
                                              : command_line_value(word.substr(equals + 1));
    const Key* key = find_key(name);
    const Value* earlier = tree.find_path(name);
    if (earlier && key && key->type == KeyType::texts) {  // console-like keys may be repeated
      auto all = earlier->as_texts();
      for (auto& text : value.as_texts()) all.push_back(std::move(text));
      value = Value::texts(all);
    }
    tree.set_path(name, std::move(value));
  }
  tree.set_origin(kCommandLine);
  return tree;
}

std::vector<std::string> command_line_values(std::string_view line, std::string_view name) {
  std::vector<std::string> values;
  for (const auto& word : command_line_words(line)) {
    if (word.size() > name.size() && word.starts_with(name) && word[name.size()] == '=') {
      values.push_back(unquoted(word.substr(name.size() + 1)));
    }
  }
  return values;
}

void set_user_config(std::string_view path, Value value, const fs::path& root) {
  require_key(path);
  change_user_config(root, [&](Value& tree) { tree.set_path(path, std::move(value)); });
}

void merge_user_config(const Value& over, const fs::path& root) {
  change_user_config(root, [&](Value& tree) { merge(tree, over); });
}

}  // namespace ros
