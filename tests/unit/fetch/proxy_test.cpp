#include "builder/fetch/proxy.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "builder/os/process.h"

using namespace rosbuild;

namespace {

// apt's configuration is this text alone, and the environment names no proxy.
struct Configured {
  explicit Configured(const std::string& text) {
    for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
      ::unsetenv(name);
    ros::write_file(file, "Dir::Etc::main \"-\";\nDir::Etc::parts \"-\";\n" + text);
    ::setenv("APT_CONFIG", file.c_str(), 1);
  }
  ~Configured() {
    ::unsetenv("APT_CONFIG");
    ::unsetenv("http_proxy");
  }
  ros::TempDir folder;
  fs::path file = folder.path() / "apt.conf";
};

}  // namespace

TEST_CASE("proxy: as the host's apt is configured", "[fetch]") {
  if (!find_program("apt-config")) {
    WARN("SKIPPED: no apt-config");
    return;
  }
  const Configured apt{
      "Acquire::HTTP::Proxy \"http://proxy.test:3128\";\n"
      "Acquire::http::Proxy::near.test \"DIRECT\";\nAcquire::http::Timeout \"3\";\n"
      "Acquire::https::Proxy::far.test \"http://other.test\";\n"};
  const Proxies proxies = host_proxies();
  CHECK(proxies.of("http://m.test/debian") == "http://proxy.test:3128");
  CHECK(proxies.of("https://m.test/debian") == "http://proxy.test:3128");
  CHECK(proxies.of("http://near.test:8080/debian") == "");
  CHECK(proxies.of("http://me@near.test") == "");
  CHECK(proxies.of("https://far.test/debian") == "http://other.test");
  CHECK(proxies.of("file:///far.test/debian") == "");
  CHECK(proxies.text().find("timeout") == std::string::npos);

  ::setenv("http_proxy", "http://environment.test", 1);
  CHECK(host_proxies().settings.empty());  // others follow that by themselves
}

TEST_CASE("proxy: apt goes without", "[fetch]") {
  const Configured apt{"Acquire::http::Proxy \"DIRECT\";\n"};
  CHECK(host_proxies().of("http://m.test/debian") == "");
  const Configured none{""};
  CHECK(host_proxies().settings.empty());
}
