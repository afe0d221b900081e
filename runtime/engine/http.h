// HTTP/1.1 over a unix socket, as much of it as an engine's API needs.
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

#include "runtime/base/fd.h"

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

// A response that is read while it is being made.
class ResponseStream {
 public:
  explicit ResponseStream(Fd socket);
  int status() const noexcept { return parser_.status(); }
  int fd() const noexcept { return socket_.get(); }
  // Blocks for the next piece of the body; nothing at the end.
  std::optional<std::string> read();
  // The rest of the body; throws Error beyond `limit` bytes.
  std::string read_all(std::size_t limit);

 private:
  bool receive();

  Fd socket_;
  ResponseParser parser_;
  std::string body_;
};

// Connects, sends the request and reads the head of the response.
ResponseStream http_open(const std::string& socket, std::string_view method,
                         std::string_view target, std::string_view json_body = {});
// The same, with the whole body.
Response http_request(const std::string& socket, std::string_view method, std::string_view target,
                      std::string_view json_body = {});

std::string percent_encode(std::string_view text);

}  // namespace ros
