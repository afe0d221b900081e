// `ros tls`: certificates for docker --tlsverify.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/options.h"
#include "runtime/ros/tls.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr const char* kClientTls = "/home/rancher/.docker";
constexpr unsigned kRancher = 1100;

constexpr const char* kHelp =
    "usage: ros tls generate [-d FOLDER]              a certificate for a client\n"
    "       ros tls generate -s [-H NAME]… [-d FOLDER]  one for user Docker\n"
    "           -s, --server       for the daemon; kept in the configuration\n"
    "           -H, --hostname     a name or address that the daemon is reached by, besides\n"
    "                              localhost and those that the box has now\n"
    "           -d, --dir FOLDER   where to, instead of /home/rancher/.docker and\n"
    "                              /etc/docker/tls\n"
    "\n"
    "The authority that signs them is made once and kept in the configuration. Then:\n"
    "  sudo ros config set rancher.docker.tls true && sudo ros service restart docker\n"
    "  docker --tlsverify -H tcp://NAME:2376 ps      with the client's folder as ~/.docker\n";

Pair authority(const Config& config) {
  Pair pair{config.text("rancher.docker.ca_cert"), config.text("rancher.docker.ca_key")};
  if (pair.certificate.empty() != pair.key.empty())
    throw Error{"the configuration has only one of rancher.docker.ca_cert and ca_key",
                Error::Kind::input}
        .hint("ros config get --origin rancher.docker.ca_cert");
  if (!pair.certificate.empty()) return pair;
  return make_certificate(Certificate::authority, {});
}

void keep(const Pair& pair, const char* certificate, const char* key) {
  Value docker = Value::map();
  docker.set(certificate, Value::scalar(pair.certificate, false));
  docker.set(key, Value::scalar(pair.key, false));
  Value tree = Value::map();
  tree.set_path("rancher.docker", docker);
  merge_user_config(tree);
}

void write_pem(const fs::path& folder, const char* name, const std::string& text, unsigned owner) {
  const fs::path file = folder / name;
  write_file_atomically(file, text, 0600);
  if (::chown(file.c_str(), owner, owner) != 0)
    throw Error::from_errno("cannot change the owner of " + file.string());
}

std::vector<std::string> names_of_box(std::vector<std::string> given) {
  char host[65] = "";
  ::gethostname(host, sizeof host - 1);
  for (const char* name : {"localhost", "127.0.0.1", static_cast<const char*>(host)})
    if (*name && std::ranges::count(given, name) == 0) given.emplace_back(name);
  for (const auto& address : addresses()) {
    const std::string bare = address.address.substr(0, address.address.find('/'));
    if (std::ranges::count(given, bare) == 0) given.push_back(bare);
  }
  return given;
}

int generate(Arguments arguments) {
  const bool server = take_flag(arguments, "-s", "--server");
  std::vector<std::string> names;
  for (std::string name; !(name = take_option(arguments, "-H", "--hostname")).empty();)
    names.push_back(name);
  std::string folder = take_option(arguments, "-d", "--dir");
  expect_words(arguments, 0, 0, "ros tls generate");
  if (!server && !names.empty())
    throw Error{"--hostname is for --server: a client has no address", Error::Kind::usage};
  require_root();
  const Pair ca = authority(load_config());
  keep(ca, "ca_cert", "ca_key");
  if (folder.empty()) folder = server ? kServerTls : kClientTls;
  const bool own = folder == kClientTls;
  const unsigned owner = own ? kRancher : 0;
  if (fs::create_directories(folder) && own && ::chown(folder.c_str(), owner, owner) != 0)
    throw Error::from_errno("cannot change the owner of " + folder);
  const Pair pair = server ? make_certificate(Certificate::server, names_of_box(names), ca)
                           : make_certificate(Certificate::client, {}, ca);
  if (server) keep(pair, "server_cert", "server_key");
  write_pem(folder, "ca.pem", ca.certificate, owner);
  write_pem(folder, server ? "server-cert.pem" : "cert.pem", pair.certificate, owner);
  write_pem(folder, server ? "server-key.pem" : "key.pem", pair.key, owner);
  fmt::print("{}\n", folder);
  return 0;
}

}  // namespace

int tls_verb(const Arguments& arguments) {
  const bool help =
      std::ranges::count(arguments, "--help") > 0 || std::ranges::count(arguments, "-h") > 0;
  if (arguments.empty() || help) {
    std::fputs(kHelp, help ? stdout : stderr);
    return help ? 0 : 2;
  }
  if (arguments[0] == "generate" || arguments[0] == "gen")
    return generate({arguments.begin() + 1, arguments.end()});
  unknown_word("ros tls", arguments[0], {"generate"});
}

}  // namespace ros
