// The proxies that the host's own apt goes through.
#pragma once

#include <map>
#include <string>

namespace rosbuild {

struct Proxies {
  // As apt.conf(5) names them: "acquire::http::proxy", "acquire::https::proxy::HOST"; lower case.
  std::map<std::string, std::string> settings;

  // The one for this URL; empty: none.
  std::string of(const std::string& url) const;
  // The settings in the syntax of apt.conf(5).
  std::string text() const;
};

// None when the environment names one (http_proxy and the like, of which libcurl and apt know by
// themselves), or when there is no apt.
Proxies host_proxies();

}  // namespace rosbuild
