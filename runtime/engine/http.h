// HTTP/1.1 over a unix socket or TCP, as much of it as an engine's API and the
// metadata services of clouds need. No TLS, no names: addresses are numbers.
//
// One connection per request: connecting to a local socket costs nothing, and a
// request that blocks (events, wait, logs) then holds up nobody.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/base/patience.h"

namespace ros {

// Takes a response apart as its bytes arrive, however they are cut.
class ResponseParser {
 public:
  // Throws Error when the bytes are no HTTP response. Body bytes that are
  // complete are appended to `body`.
  void feed(std::string_view bytes, std::string& body);
  // To be called when the peer closed; throws Error when that is too early.
  void finish() const;

  bool head_complete() const noexcept { return stage_ != Stage::head; }
  bool complete() const noexcept { return stage_ == Stage::done; }
  int status() const noexcept { return status_; }
  // Names are lower case.
  const std::map<std::string, std::string>& headers() const noexcept { return headers_; }

 private:
  enum class Stage { head, length, until_close, chunk_size, chunk_data, chunk_end, trailer, done };
  bool step(std::string& body);
  void parse_head(std::string_view head);
  bool take_line(std::string& line);

  Stage stage_ = Stage::head;
  int status_ = 0;
  std::uint64_t left_ = 0;
  std::map<std::string, std::string> headers_;
  std::string pending_;
};

struct Response {
  int status = 0;
  std::string body;
};

// Somebody to talk to; `patience` bounds everything that is said.
struct Connection {
  Fd socket;
  std::string peer;  // for messages
  Patience patience;
};

Connection connect_unix(const std::string& path);
// `address` is an IPv4 or IPv6 address. Throws Error when nobody is there.
Connection connect_tcp(const std::string& address, std::uint16_t port, const Patience& patience);

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string_view method = "GET";
  std::string_view target = "/";
  std::string_view host = "engine";
  Headers headers;
  std::string_view body;
};

// A response that is read while it is being made.
class ResponseStream {
 public:
  explicit ResponseStream(Connection connection);  // reads the head
  int status() const noexcept { return parser_.status(); }
  // The value of a header (name in lower case), "" when it is not there.
  std::string header(const std::string& name) const;
  int fd() const noexcept { return connection_.socket.get(); }
  // Blocks for the next piece of the body; nothing at the end.
  std::optional<std::string> read();
  // The rest of the body; throws Error beyond `limit` bytes.
  std::string read_all(std::size_t limit);

 private:
  bool receive();

  Connection connection_;
  ResponseParser parser_;
  std::string body_;
};

// Sends the request and reads the head of the response.
ResponseStream http_send(Connection connection, const Request& request);

// The same to the unix socket of an engine.
ResponseStream http_open(const std::string& socket, std::string_view method,
                         std::string_view target, std::string_view json_body = {});
// With the whole body.
Response http_request(const std::string& socket, std::string_view method, std::string_view target,
                      std::string_view json_body = {});

struct Url {
  std::string scheme;  // "http", "https"
  std::string host;    // without the brackets of an IPv6 address
  std::uint16_t port = 0;
  std::string target;     // "/path?query"
  std::string authority;  // what a Host header says

  bool is_numeric() const;  // the host is an address
};

// Nothing when it is no http or https URL, or has blanks or control characters.
std::optional<Url> parse_url(std::string_view text);

std::string percent_encode(std::string_view text);

}  // namespace ros
