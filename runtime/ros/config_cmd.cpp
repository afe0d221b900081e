// `ros config`: what the configuration is, and changing it.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <set>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/config/schema.h"
#include "runtime/ros/catalogue.h"
#include "runtime/ros/json_schema.h"
#include "runtime/ros/options.h"
#include "runtime/ros/services.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr const char* kHelp =
    "usage: ros config get [--origin] KEY    the value that counts (maps and lists as YAML),\n"
    "                                        or which file gave it\n"
    "       ros config set KEY VALUE         VALUE is YAML; kept in cloud-config.yml\n"
    "       ros config merge [-i FILE]       merge a cloud-config (default: standard input)\n"
    "       ros config validate [-i FILE]    check a cloud-config\n"
    "       ros config export [-f] [-p] [-o FILE]\n"
    "           -f, --full     with the defaults of the system\n"
    "           -p, --private  with secrets\n"
    "       ros config keys                  every key with its type and meaning\n"
    "       ros config schema                the same as JSON Schema\n"
    "       ros config images [-i FILE]      images of the services, of FILE or of this box\n"
    "       ros config generate              standard input with each {{.NAME}} replaced by the\n"
    "                                        environment variable NAME\n";

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void expect(const Arguments& arguments, std::size_t count, const char* usage) {
  if (arguments.size() != count) throw Error{usage, Error::Kind::usage}.hint("ros config --help");
}

int print_origin(const std::string& key) {
  const Config config = load_config();
  const Value* value = config.find(key);
  if (!value) {
    print("not set\n");
    return 1;
  }
  const auto& at = value->position();
  print(at.line > 0 ? fmt::format("{}:{}:{}\n", at.file, at.line, at.column) : at.file + "\n");
  return 0;
}

// What a key means that nothing sets, as the old system showed it.
std::string_view nothing(KeyType type) {
  switch (type) {
    case KeyType::boolean:
      return "false";
    case KeyType::integer:
      return "0";
    case KeyType::texts:
    case KeyType::commands:
    case KeyType::lists:
    case KeyType::sections:
      return "[]";
    case KeyType::text_map:
    case KeyType::bool_map:
    case KeyType::pairs:
    case KeyType::section:
      return "{}";
    case KeyType::text:
    case KeyType::named:
    case KeyType::any:
      break;
  }
  return "";
}

int get(Arguments arguments) {
  const bool origin = take_flag(arguments, "-o", "--origin");
  expect(arguments, 1, "ros config get needs one KEY");
  require_key(arguments[0]);
  require_root();
  if (origin) return print_origin(arguments[0]);
  Config config = load_config();
  // Whoever reads over a shoulder or in a log must not get it.
  config.tree.erase_path("rancher.password");
  const Value* value = config.find(arguments[0]);
  if (!value || value->is_null()) {
    const Key* key = find_key(arguments[0]);
    print(fmt::format("{}\n", nothing(key ? key->type : KeyType::text)));
  } else if (value->is_scalar()) {
    print(value->text() + "\n");
  } else {
    print(to_yaml(*value));
  }
  return 0;
}

int set(const Arguments& arguments) {
  expect(arguments, 2, "ros config set needs KEY and VALUE");
  require_key(arguments[0]);
  require_root();
  set_user_config(arguments[0], parse_yaml(arguments[1], "VALUE"));
  return 0;
}

std::string name_of(const std::string& file) { return file.empty() ? "standard input" : file; }

std::string input_text(const std::string& file) {
  return file.empty() || file == "-" ? read_to_end(STDIN_FILENO) : read_file(file);
}

int merge_file(Arguments arguments) {
  const std::string file = take_option(arguments, "-i", "--input");
  expect(arguments, 0, "ros config merge takes no KEY");
  require_root();
  merge_user_config(parse_config(input_text(file), name_of(file)));
  return 0;
}

int validate_file(Arguments arguments) {
  const std::string file = take_option(arguments, "-i", "--input");
  expect(arguments, 0, "ros config validate takes no KEY");
  const std::string text = input_text(file);
  try {
    parse_config(text, name_of(file));
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}

void erase_members(Config& config, std::string_view list,
                   std::initializer_list<const char*> names) {
  auto* value = const_cast<Value*>(config.find(list));
  if (!value) return;
  for (const char* name : names) {
    for (auto& item : value->items()) item.erase_path(name);
    for (auto& member : value->members()) member.second.erase_path(name);
  }
}

void erase_secrets(Config& config) {
  for (const char* key : {"rancher.ssh.keys", "rancher.registry_auths", "rancher.docker.ca_key",
                          "rancher.docker.ca_cert", "password", "rancher.docker.server_key",
                          "rancher.docker.server_cert"})
    config.tree.erase_path(key);
  erase_members(config, "users", {"hashed_passwd", "passwd", "plain_text_passwd"});
  erase_members(config, "rancher.network.wifi_networks",
                {"password", "private_key_passwds", "psk"});
}

int export_all(Arguments arguments) {
  const std::string file = take_option(arguments, "-o", "--output");
  const bool full = take_flag(arguments, "-f", "--full");
  const bool secrets = take_flag(arguments, "-p", "--private");
  expect(arguments, 0, "ros config export takes no KEY");
  require_root();
  Config config = load_config("/", {full, true});
  for (const char* key :
       {"rancher.password", "rancher.autologin", "rancher.environment.EXTRA_CMDLINE"})
    config.tree.erase_path(key);
  if (!secrets) erase_secrets(config);
  const std::string text = "#cloud-config\n" + to_yaml(config.tree);
  boost::system::error_code absent;
  const auto target = fs::symlink_status(file, absent).type();
  if (file.empty()) {
    print(text);
  } else if (target != fs::file_not_found && target != fs::regular_file) {
    write_file(file, text, 0600);  // /dev/stdout stays what it is
  } else {
    write_file_atomically(file, text, 0600);
  }
  return 0;
}

int print_images(Arguments arguments) {
  const std::string file = take_option(arguments, "-i", "--input");
  expect(arguments, 0, "ros config images takes no KEY");
  Config config;
  if (file.empty()) {
    require_root();
    config = load_config();
  } else {
    config.tree = parse_config(input_text(file), name_of(file));
  }
  std::set<std::string> images;
  std::vector<std::string> ignored;
  include_services(config, Reach::here, ignored);
  for (const auto& service : services_of(config, ignored)) images.insert(service.spec.image);
  print(join({images.begin(), images.end()}, " ") + "\n");
  return 0;
}

// {{.NAME}} stands for a variable; nothing else of Go's templates is known.
std::string fill_template(
    const std::string& text,
    const std::function<std::optional<std::string>(const std::string&)>& value_of) {
  std::string result;
  std::size_t done = 0;
  for (std::size_t begin; (begin = text.find("{{", done)) != text.npos;) {
    const auto end = text.find("}}", begin);
    const std::string_view inside = trim(
        std::string_view{text}.substr(begin + 2, (end == text.npos ? begin : end) - begin - 2));
    const auto value =
        inside.starts_with('.') ? value_of(std::string{inside.substr(1)}) : std::nullopt;
    if (!value) {
      const auto line =
          static_cast<int>(
              std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(begin), '\n')) +
          1;
      throw Error{fmt::format("{{{{{}}}}} is no variable that is set", inside), Error::Kind::input}
          .at({"standard input", line, 0});
    }
    result += text.substr(done, begin - done) + *value;
    done = end + 2;
  }
  return result + text.substr(done);
}

int generate(const Arguments& arguments) {
  expect(arguments, 0, "ros config generate takes no KEY");
  print(fill_template(read_to_end(STDIN_FILENO), [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>{value} : std::nullopt;
  }));
  return 0;
}

int print_schema(const Arguments& arguments) {
  expect(arguments, 0, "ros config schema takes no KEY");
  print(json_schema());
  return 0;
}

int list_keys(const Arguments&) {
  for (const Key& key : keys()) {
    print(fmt::format("{}: {}\n    {}\n", key.path, describe(key.type), key.description));
  }
  return 0;
}

}  // namespace

int config_verb(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    print(kHelp);
    return arguments.empty() ? 2 : 0;
  }
  const Arguments rest{arguments.begin() + 1, arguments.end()};
  const std::string& verb = arguments[0];
  if (verb == "get") return get(rest);
  if (verb == "set") return set(rest);
  if (verb == "merge") return merge_file(rest);
  if (verb == "validate") return validate_file(rest);
  if (verb == "export") return export_all(rest);
  if (verb == "keys") return list_keys(rest);
  if (verb == "schema") return print_schema(rest);
  if (verb == "images") return print_images(rest);
  if (verb == "generate") return generate(rest);
  if (verb == "syslinux")
    throw Error{"GRUB starts this system, and its menu is written by `ros os`", Error::Kind::usage}
        .hint("ros os append WORDS adds to the kernel's command line");
  unknown_word(
      "ros config", verb,
      {"get", "set", "merge", "validate", "export", "keys", "schema", "images", "generate"});
}

}  // namespace ros
