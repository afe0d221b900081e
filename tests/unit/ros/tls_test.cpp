// Certificates, as openssl itself reads them.
#include "runtime/ros/tls.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"
#include "runtime/ros/process.h"
#include "runtime/ros/user_docker.h"
#include "tests/support/config.h"

using namespace ros;
using Catch::Contains;
using nlohmann::json;
using test::config_of;

namespace {

constexpr const char* kWithKeys = "ca_cert: A, server_cert: B, server_key: C";

json daemon(const std::string& docker) {
  return json::parse(
      user_docker_config(config_of("rancher: {docker: {" + docker + "}}"), "{}", true));
}

}  // namespace

TEST_CASE("tls: names become names and addresses, anything else is refused") {
  CHECK_THAT(openssl_config(Certificate::server, {"box", "*.example", "192.0.2.1", "2001:db8::1"}),
             Contains("subjectAltName = DNS:box, DNS:*.example, IP:192.0.2.1, IP:2001:db8::1\n") &&
                 Contains("serverAuth") && Contains("CA:FALSE"));
  CHECK_THAT(openssl_config(Certificate::client, {}),
             Contains("clientAuth") && !Contains("subjectAltName"));
  CHECK_THAT(openssl_config(Certificate::authority, {}), Contains("CA:TRUE"));
  for (const char* name : {"", "a b", "box\nCN = other", "a,DNS:b", "x/y"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(openssl_config(Certificate::server, {name}), Error);
  }
}

TEST_CASE("tls: what is made is signed by the authority and good for its purpose only") {
  if (run({"sh", "-c", "command -v openssl >/dev/null"}) != 0) {
    WARN("SKIPPED: openssl is not installed");
    return;
  }
  const TempDir folder;
  const auto file = [&](const char* name, const std::string& text) {
    write_file(folder.path() / name, text);
    return (folder.path() / name).string();
  };
  const Pair authority = make_certificate(Certificate::authority, {});
  const std::string ca = file("ca", authority.certificate);
  const std::string server = file(
      "server", make_certificate(Certificate::server, {"box", "192.0.2.1"}, authority).certificate);
  const std::string client =
      file("client", make_certificate(Certificate::client, {}, authority).certificate);
  const auto verify = [&](const std::vector<std::string>& more) {
    std::vector<std::string> argv{"openssl", "verify", "-CAfile", ca};
    argv.insert(argv.end(), more.begin(), more.end());
    return try_program(argv).status;
  };
  CHECK(verify({"-purpose", "sslserver", "-verify_hostname", "box", server}) == 0);
  CHECK(verify({"-purpose", "sslserver", "-verify_ip", "192.0.2.1", server}) == 0);
  CHECK(verify({"-purpose", "sslclient", client}) == 0);
  CHECK(verify({"-purpose", "sslserver", "-verify_hostname", "other", server}) != 0);
  CHECK(verify({"-purpose", "sslclient", server}) != 0);
  const Pair other = make_certificate(Certificate::authority, {});
  const auto stranger = make_certificate(Certificate::client, {}, other);
  CHECK(verify({file("stranger", stranger.certificate)}) != 0);
}

TEST_CASE("tls: user Docker listens on a port only with all that it takes") {
  const std::string keys = kWithKeys;
  const json on = daemon("tls: true, host: ['unix:///run/docker.sock'], " + keys);
  CHECK(on["tlsverify"] == true);
  CHECK(on["tlscert"] == "/etc/docker/tls/server-cert.pem");
  CHECK(on["hosts"] == json({"unix:///run/docker.sock", "tcp://0.0.0.0:2376"}));
  for (const std::string& off : {std::string{"tls: true"}, "tls: false, " + keys, keys}) {
    CAPTURE(off);
    CHECK_FALSE(daemon(off).contains("tlsverify"));
    CHECK_FALSE(daemon(off).contains("hosts"));
  }
  std::vector<std::string> problems;
  write_server_tls(config_of("rancher: {docker: {tls: true}}"), problems);
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems[0], Contains("c.yml:1:") && Contains("ros tls generate --server"));
}

TEST_CASE("tls: tls_args take the place of ours, and count only with tls") {
  const std::string text = "tls_args: [--tlsverify, '-H=0.0.0.0:2377']";
  const Config config = config_of("rancher: {docker: {tls: true, host: [a], " + text + "}}");
  const auto argv = user_docker_command(config);
  CHECK(std::count(argv.begin(), argv.end(), "-H=0.0.0.0:2377") == 1);
  CHECK(std::count(argv.begin(), argv.end(), "unix:///run/docker.sock") == 1);
  const json file = daemon("tls: true, host: [a], " + text);
  CHECK_FALSE(file.contains("hosts"));  // dockerd refuses to be told twice
  CHECK_FALSE(file.contains("tlsverify"));
  const auto without = user_docker_command(config_of("rancher: {docker: {" + text + "}}"));
  CHECK(std::count(without.begin(), without.end(), "--tlsverify") == 0);
}
