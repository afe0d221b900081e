// Getting one document by URL, within bounds of time and size.
//
// http to an address is spoken by our own client, which needs no program and
// can be called off at once. Everything else, TLS, names and TFTP, is curl's: a
// static program can do none of them well.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/patience.h"
#include "runtime/engine/http.h"

namespace ros {

// No document that configures a machine is larger; services allow 16 to 512 KiB.
inline constexpr std::size_t kMaxDocument = 1u << 20;

struct Fetch {
  std::string method = "GET";
  Headers headers;
  std::string body;                         // of a POST
  bool follow = false;                      // redirections, at most five
  std::chrono::milliseconds connect{3000};  // how long to wait for a peer at all
  std::vector<std::string> proxies;         // NAME=VALUE for curl's environment
};

struct Fetched {
  bool reached = false;  // false: nobody is there; `reason` says why
  int status = 0;
  std::string body;  // at most kMaxDocument bytes
  std::string reason;
};

// Throws Error (without the URL) when a peer was reached and then failed: it
// fell silent (kind network), spoke no HTTP, or said too much. An answer 429 or
// 5xx is asked for again while the patience lasts: a service may come up later
// than the machine it is for.
Fetched fetch(const std::string& url, const Fetch& how, const Patience& patience);

// The body of a document that has to be there; throws Error with the reason, of
// kind network when it may be there later.
std::string fetch_text(const std::string& url, const Patience& patience,
                       const std::vector<std::string>& proxies = {});

}  // namespace ros
