#include "runtime/engine/http.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

constexpr std::size_t kMaxHead = 64u << 10;
constexpr std::size_t kMaxLine = 4096;
constexpr std::size_t kMaxBody = 64u << 20;

Error malformed(std::string_view what) { return Error{fmt::format("bad HTTP response: {}", what)}; }

std::uint64_t number(std::string_view text, int base, std::string_view what) {
  std::uint64_t value = 0;
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || code != std::errc{} || stop != text.data() + text.size()) {
    throw malformed(what);
  }
  return value;
}

std::string lower(std::string_view text) {
  std::string result{text};
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

Fd connect_to(const std::string& path) {
  Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!socket) throw Error::from_errno("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Error{path + ": name too long for a socket"};
  std::memcpy(address.sun_path, path.data(), path.size());
  while (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINTR) throw Error::from_errno("connect to " + path);
  }
  return socket;
}

}  // namespace

void ResponseParser::parse_head(std::string_view head) {
  const auto lines = split(head, '\n');
  const std::string_view first = trim(lines.front());
  if (!first.starts_with("HTTP/1.") || first.size() < 12) throw malformed("status line");
  status_ = static_cast<int>(number(first.substr(9, 3), 10, "status"));
  headers_.clear();
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string_view line = trim(lines[i]);
    if (line.empty()) continue;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) throw malformed("header without a colon");
    headers_[lower(line.substr(0, colon))] = std::string{trim(line.substr(colon + 1))};
  }
  const auto encoding = headers_.find("transfer-encoding");
  const auto length = headers_.find("content-length");
  if (encoding != headers_.end() && lower(encoding->second) == "chunked") {
    stage_ = Stage::chunk_size;
  } else if (length != headers_.end()) {
    left_ = number(length->second, 10, "content-length");
    stage_ = left_ == 0 ? Stage::done : Stage::length;
  } else if (status_ == 204 || status_ == 304) {
    stage_ = Stage::done;
  } else {
    stage_ = Stage::until_close;
  }
}

bool ResponseParser::take_line(std::string& line) {
  const auto end = pending_.find('\n');
  if (end == std::string::npos) {
    if (pending_.size() > kMaxLine) throw malformed("line too long");
    return false;
  }
  line = std::string{trim(std::string_view{pending_}.substr(0, end))};
  pending_.erase(0, end + 1);
  return true;
}

// One step; false when more bytes are needed.
bool ResponseParser::step(std::string& body) {
  std::string line;
  switch (stage_) {
    case Stage::head: {
      auto end = pending_.find("\r\n\r\n");
      if (end == std::string::npos) {
        if (pending_.size() > kMaxHead) throw malformed("head too long");
        return false;
      }
      const std::string head = pending_.substr(0, end);
      pending_.erase(0, end + 4);
      parse_head(head);
      if (status_ < 200) stage_ = Stage::head;  // 100 Continue: the real one follows
      return true;
    }
    case Stage::length:
    case Stage::chunk_data: {
      if (pending_.empty()) return false;
      const auto size = static_cast<std::size_t>(
          std::min<std::uint64_t>(left_, static_cast<std::uint64_t>(pending_.size())));
      body.append(pending_, 0, size);
      pending_.erase(0, size);
      left_ -= size;
      if (left_ == 0) stage_ = stage_ == Stage::length ? Stage::done : Stage::chunk_end;
      return true;
    }
    case Stage::until_close:
      body += pending_;
      pending_.clear();
      return false;
    case Stage::chunk_size:
      if (!take_line(line)) return false;
      left_ = number(trim(std::string_view{line}.substr(0, line.find(';'))), 16, "chunk size");
      stage_ = left_ == 0 ? Stage::trailer : Stage::chunk_data;
      return true;
    case Stage::chunk_end:
      if (!take_line(line)) return false;
      if (!line.empty()) throw malformed("chunk longer than its size");
      stage_ = Stage::chunk_size;
      return true;
    case Stage::trailer:
      if (!take_line(line)) return false;
      if (line.empty()) stage_ = Stage::done;
      return true;
    case Stage::done:
      return false;
  }
  return false;
}

void ResponseParser::feed(std::string_view bytes, std::string& body) {
  pending_.append(bytes);
  while (step(body)) {
  }
}

void ResponseParser::finish() const {
  if (stage_ != Stage::done && stage_ != Stage::until_close) throw malformed("it ends too early");
}

ResponseStream::ResponseStream(Fd socket) : socket_(std::move(socket)) {
  while (!parser_.head_complete()) {
    if (!receive()) throw Error{"the engine closed the connection"};
  }
}

bool ResponseStream::receive() {
  std::array<char, 16384> buffer;
  for (;;) {
    const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error::from_errno("read from the engine");
    if (count == 0) return false;
    parser_.feed({buffer.data(), static_cast<std::size_t>(count)}, body_);
    return true;
  }
}

std::optional<std::string> ResponseStream::read() {
  while (body_.empty()) {
    if (parser_.complete()) return std::nullopt;
    if (!receive()) {
      parser_.finish();
      return std::nullopt;
    }
  }
  return std::exchange(body_, {});
}

std::string ResponseStream::read_all(std::size_t limit) {
  std::string all;
  while (auto piece = read()) {
    all += *piece;
    if (all.size() > limit) throw Error{"the engine's answer is too large"};
  }
  return all;
}

ResponseStream http_open(const std::string& socket, std::string_view method,
                         std::string_view target, std::string_view json_body) {
  Fd connection = connect_to(socket);
  std::string request =
      fmt::format("{} {} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n", method, target);
  if (!json_body.empty()) request += "Content-Type: application/json\r\n";
  if (!json_body.empty() || method == "POST") {
    request += fmt::format("Content-Length: {}\r\n", json_body.size());
  }
  request += "\r\n";
  request += json_body;
  std::string_view rest = request;
  while (!rest.empty()) {  // MSG_NOSIGNAL: a daemon that dies must not kill its client
    const auto count = ::send(connection.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw Error::from_errno("send to the engine");
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  return ResponseStream{std::move(connection)};
}

Response http_request(const std::string& socket, std::string_view method, std::string_view target,
                      std::string_view json_body) {
  auto stream = http_open(socket, method, target, json_body);
  Response response;
  response.status = stream.status();
  response.body = stream.read_all(kMaxBody);
  return response;
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '~') {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return encoded;
}

}  // namespace ros
