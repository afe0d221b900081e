#include "runtime/config/load.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/cmdline.h"
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

// The files that the builder made are JSON, which is YAML and takes a sixth of the time: most of
// what a start of `ros` costs. Nobody looks for a line in them.
Value parse_default(const std::string& text, const std::string& file) {
  auto tree = text.starts_with('{') ? parse_json(text) : std::nullopt;
  if (!tree) return parse_yaml(normalised(text), file);
  tree->set_origin(file);
  return std::move(*tree);
}

void add_tree(Config& config, Value tree) {
  std::vector<Error> problems;
  for (auto& path : validate(tree, problems)) config.lost.push_back(std::move(path));
  for (const auto& problem : problems) config.problems.emplace_back(problem.what());
  if (tree.is_map()) merge(config.tree, tree);
}

template <class Parse>
void add_document(Config& config, Parse parse) {
  try {
    add_tree(config, parse());
  } catch (const Error& error) {
    config.problems.emplace_back(error.what());
    config.lost.emplace_back();
  }
}

// By name; hidden files are not among them.
std::vector<fs::path> documents_in(const fs::path& folder) {
  std::vector<fs::path> files;
  boost::system::error_code ignored;
  for (fs::directory_iterator it{folder, ignored}, end; it != end; it.increment(ignored)) {
    const auto name = it->path().filename().string();
    if (!name.starts_with('.') && name.ends_with(".yml")) files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

fs::path user_config(const fs::path& root) { return root / kConfigFolder / "cloud-config.yml"; }

// A value is YAML when it is written as a list or map; anything else is taken
// as it stands, so that colons and question marks need no quotes.
Value command_line_value(const CmdlineParameter& parameter, const Key* key) {
  const std::string& text = parameter.value;
  if (!parameter.assigned) return Value::boolean(true);
  if (!parameter.quoted && (text.starts_with('[') || text.starts_with('{'))) {
    try {
      return parse_yaml(text, kCommandLine);
    } catch (const Error&) {
      return Value::scalar(text);
    }
  }
  if (key && key->type == KeyType::boolean && (text == "1" || text == "0")) {
    return Value::boolean(is_on(text));  // as init reads it
  }
  return Value::scalar(text, !parameter.quoted);
}

// What the datasource left: the names below stand for its values in users' files.
Value read_metadata(const fs::path& root) {
  const auto text = try_read_file(root / kConfigFolder / "metadata");
  try {
    return text ? parse_yaml(*text, "metadata") : Value{};
  } catch (const Error&) {
    return {};
  }
}

// A name without a value stays as it is written: it may mean something in a script.
std::string substitute(std::string text, const Value& metadata) {
  for (const std::string name : {"public_ipv4", "private_ipv4", "public_ipv6", "private_ipv6"}) {
    const Value* value = metadata.find(name);
    if (value && !value->text().empty())
      text = replace_all(std::move(text), "$" + name, value->text());
  }
  return text;
}

void add_missing(Config& config, const std::string& path, const std::string& text) {
  if (config.find(path)) return;
  Value value = Value::scalar(text, false);
  value.set_origin("derived from other settings");
  config.tree.set_path(path, std::move(value));
}

// Proxies reach services as environment, and rancher.debug is for both engines too.
void derive(Config& config) {
  for (const char* name : {"http_proxy", "https_proxy", "no_proxy"}) {
    const std::string proxy = config.text(fmt::format("rancher.network.{}", name));
    if (proxy.empty()) continue;
    std::string upper = name;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    add_missing(config, fmt::format("rancher.environment.{}", name), proxy);
    add_missing(config, "rancher.environment." + upper, proxy);
  }
  if (config.flag("rancher.debug")) {
    for (const char* key : {"rancher.docker.debug", "rancher.system_docker.debug", "rancher.log"})
      add_missing(config, key, "true");
  }
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

void Config::require_whole(std::string_view path) const {
  const auto holds = [](std::string_view outer, std::string_view inner) {
    return outer.empty() || inner == outer ||
           (inner.starts_with(outer) && (inner[outer.size()] == '.' || inner[outer.size()] == '['));
  };
  if (std::ranges::none_of(
          lost, [&](const std::string& gone) { return holds(gone, path) || holds(path, gone); }))
    return;
  std::string all;
  for (const auto& problem : problems) all += "\n" + problem;
  throw Error{fmt::format("what {} says is not known:{}", path, all), Error::Kind::input}.hint(
      "mend the configuration; `ros config validate` checks a file");
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

bool is_of_users(const Value& value) {
  return value.position().file.starts_with(std::string{"/"} + kConfigFolder);
}

void add_layer(Config& config, std::string_view text, const std::string& file) {
  add_document(config, [&] { return parse_yaml(normalised(text), file); });
}

Config load_config(const fs::path& root, ConfigLayers layers) {
  Config config;
  const Value metadata = read_metadata(root);
  const auto add_file = [&](const fs::path& path) {
    if (const auto text = try_read_file(path))
      add_document(config, [&] { return parse_default(*text, path.string()); });
  };
  const auto add_users = [&](const fs::path& path) {
    if (const auto text = try_read_file(path))
      add_layer(config, substitute(*text, metadata), path.string());
  };
  if (layers.defaults) {
    add_file(root / kOsConfig);
    for (const auto& file : documents_in(root / kOsConfigFolder)) add_file(file);
    for (const char* file : {kPlatformConfig, kOemConfig}) add_file(root / file);
  }
  for (const auto& file : documents_in(root / kConfigFolder / "cloud-config.d")) add_users(file);
  add_users(user_config(root));

  if (layers.command_line) {
    const Cmdline line{try_read_file(root / "proc/cmdline").value_or("")};
    add_tree(config, parse_command_line(line));
    if (!line.extra().empty())
      add_missing(config, "rancher.environment.EXTRA_CMDLINE", line.extra());
  }
  derive(config);
  return config;
}

Value parse_command_line(const Cmdline& line) {
  Value tree = Value::map();
  for (const auto& parameter : line.parameters()) {
    std::string name = parameter.name;
    if (name.starts_with("cc.")) {
      name.erase(0, 3);
    } else if (!name.starts_with("rancher.")) {
      continue;
    }
    if (name.empty() || name.starts_with('.') || name.ends_with('.') ||
        name.find("..") != std::string::npos) {
      continue;
    }
    const Key* key = find_key(name);
    Value value = command_line_value(parameter, key);
    const Value* earlier = tree.find_path(name);
    if (earlier && key && key->type == KeyType::texts) {  // rancher.autologin may be repeated
      auto all = earlier->as_texts();
      for (auto& text : value.as_texts()) all.push_back(std::move(text));
      value = Value::texts(all);
    }
    tree.set_path(name, std::move(value));
  }
  tree.set_origin(kCommandLine);
  return tree;
}

void change_user_config(const std::function<void(Value&)>& change, const fs::path& root) {
  const auto path = user_config(root);
  const FileLock lock{root / kConfigFolder / ".lock"};
  Value tree = Value::map();
  // One that cannot be read is not replaced.
  if (fs::exists(path)) tree = parse_yaml(normalised(read_file(path)), path.string());
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

void set_user_config(std::string_view path, Value value, const fs::path& root) {
  require_key(path);
  change_user_config([&](Value& tree) { tree.set_path(path, std::move(value)); }, root);
}

void merge_user_config(const Value& over, const fs::path& root) {
  change_user_config([&](Value& tree) { merge(tree, over); }, root);
}

}  // namespace ros
