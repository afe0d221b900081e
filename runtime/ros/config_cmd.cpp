// `ros config`: what the configuration is, and changing it.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/config/schema.h"
#include "runtime/ros/options.h"
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
    "       ros config keys                  every key with its type and meaning\n";

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

int get(Arguments arguments) {
  const bool origin = take_flag(arguments, "-o", "--origin");
  expect(arguments, 1, "ros config get needs one KEY");
  require_key(arguments[0]);
  require_root();
  if (origin) return print_origin(arguments[0]);
  const Config config = load_config();
  const Value* value = config.find(arguments[0]);
  // Whoever reads over a shoulder or in a log must not get it.
  if (!value || value->is_null() || arguments[0] == "rancher.password") {
    print("\n");
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

int export_all(Arguments arguments) {
  const std::string file = take_option(arguments, "-o", "--output");
  const bool full = take_flag(arguments, "-f", "--full");
  const bool secrets = take_flag(arguments, "-p", "--private");
  expect(arguments, 0, "ros config export: unknown argument");
  require_root();
  Config config = load_config("/", {full, true});
  config.tree.erase_path("rancher.password");
  config.tree.erase_path("rancher.autologin");
  config.tree.erase_path("rancher.environment.EXTRA_CMDLINE");
  if (!secrets) {
    for (const char* key :
         {"rancher.ssh.keys", "rancher.registry_auths", "rancher.docker.ca_key",
          "rancher.docker.ca_cert", "rancher.docker.server_key", "rancher.docker.server_cert"}) {
      config.tree.erase_path(key);
    }
  }
  const std::string text = "#cloud-config\n" + to_yaml(config.tree);
  if (file.empty()) {
    print(text);
  } else {
    write_file_atomically(file, text, 0600);
  }
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
  unknown_word("ros config", verb, {"get", "set", "merge", "validate", "export", "keys"});
}

}  // namespace ros
