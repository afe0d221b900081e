#include "runtime/ros/tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/net_address.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

constexpr int kDays = 3650;

bool is_host_name(const std::string& name) {
  return !name.empty() && name.size() < 254 && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '*';
  });
}

}  // namespace

std::string openssl_config(Certificate kind, const std::vector<std::string>& names) {
  const char* common = kind == Certificate::authority ? "authority"
                       : kind == Certificate::server  ? "docker"
                                                      : "client";
  std::string text = fmt::format(
      "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = extensions\n"
      "[name]\nO = rancher\nCN = {}\n[extensions]\nsubjectKeyIdentifier = hash\n",
      common);
  if (kind == Certificate::authority)
    return text + "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n";
  text += fmt::format(
      "basicConstraints = critical, CA:FALSE\nauthorityKeyIdentifier = keyid\n"
      "keyUsage = critical, digitalSignature\nextendedKeyUsage = {}\n",
      kind == Certificate::server ? "serverAuth" : "clientAuth");
  std::vector<std::string> alternatives;
  for (const auto& name : names) {
    const bool address = !address_bytes(name).empty();
    if (!address && !is_host_name(name))
      throw Error{fmt::format("{} is neither a host name nor an address", name),
                  Error::Kind::usage};
    alternatives.push_back((address ? "IP:" : "DNS:") + name);
  }
  if (!alternatives.empty()) text += fmt::format("subjectAltName = {}\n", join(alternatives, ", "));
  return text;
}

Pair make_certificate(Certificate kind, const std::vector<std::string>& names,
                      const Pair& authority) {
  const TempDir folder;
  const auto file = [&](const char* name) { return (folder.path() / name).string(); };
  write_file(file("config"), openssl_config(kind, names));
  std::vector<std::string> argv{"openssl",
                                "req",
                                "-x509",
                                "-newkey",
                                "ec",
                                "-pkeyopt",
                                "ec_paramgen_curve:P-256",
                                "-noenc",
                                "-sha256",
                                "-days",
                                std::to_string(kDays),
                                "-config",
                                file("config"),
                                "-keyout",
                                file("key"),
                                "-out",
                                file("certificate")};
  if (kind != Certificate::authority) {
    write_file(file("ca"), authority.certificate, 0600);
    write_file(file("ca-key"), authority.key, 0600);
    argv.insert(argv.end(), {"-CA", file("ca"), "-CAkey", file("ca-key")});
  }
  run_program(argv);
  return {read_file(file("certificate")), read_file(file("key"))};
}

bool has_tls(const Config& config) {
  if (!config.flag("rancher.docker.tls")) return false;
  return !config.texts("rancher.docker.tls_args").empty() ||
         std::ranges::all_of(
             std::array{"ca_cert", "server_cert", "server_key"},
             [&](const std::string& key) { return !config.text("rancher.docker." + key).empty(); });
}

std::vector<std::string> tls_arguments(const Config& config) {
  return has_tls(config) ? config.texts("rancher.docker.tls_args") : std::vector<std::string>{};
}

void write_server_tls(const Config& config, std::vector<std::string>& problems) {
  if (!config.flag("rancher.docker.tls")) return;
  if (!has_tls(config)) {
    const Value* tls = config.find("rancher.docker.tls");
    problems.emplace_back(
        Error{"rancher.docker.tls: there are no certificates, so user Docker listens on no port"}
            .at(tls->position())
            .hint("sudo ros tls generate --server")
            .what());
    return;
  }
  const fs::path folder = kServerTls;
  for (const auto& [key, name] :
       {std::pair{"ca_cert", "ca.pem"}, std::pair{"server_cert", "server-cert.pem"},
        std::pair{"server_key", "server-key.pem"}})
    if (const auto text = config.text(std::string{"rancher.docker."} + key); !text.empty())
      write_file_atomically(folder / name, text, 0600);
}

}  // namespace ros
