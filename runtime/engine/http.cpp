#include "runtime/engine/http.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
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

struct TcpAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;  // 0: it is no address
};

TcpAddress tcp_address(const std::string& host, std::uint16_t port) {
  TcpAddress address;
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr = v4;
    std::memcpy(&address.storage, &in, address.size = sizeof in);
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    in.sin6_addr = v6;
    std::memcpy(&address.storage, &in, address.size = sizeof in);
  }
  return address;
}

// MSG_NOSIGNAL: a peer that dies must not kill its client.
void send_all(const Connection& connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ::send(connection.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      connection.patience.wait(connection.socket.get(), POLLOUT);
    } else if (errno != EINTR) {
      throw Error::from_errno("send to " + connection.peer);
    }
  }
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

Connection connect_unix(const std::string& path) {
  Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!socket) throw Error::from_errno("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Error{path + ": name too long for a socket"};
  std::memcpy(address.sun_path, path.data(), path.size());
  while (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINTR) throw Error::from_errno("connect to " + path);
  }
  return {std::move(socket), "the engine", {}};
}

// The socket does not block: each wait is a poll(2) that knows the bound.
Connection connect_tcp(const std::string& address, std::uint16_t port, const Patience& patience) {
  const TcpAddress to = tcp_address(address, port);
  if (to.size == 0) throw Error{address + " is no network address", Error::Kind::input};
  Fd socket{::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket) throw Error::from_errno("socket");
  int code = 0;
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.size) != 0) {
    if (errno != EINPROGRESS && errno != EINTR) throw Error::from_errno("connect to " + address);
    patience.wait(socket.get(), POLLOUT);
    socklen_t size = sizeof code;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &code, &size) != 0) code = errno;
  }
  if (code != 0) {
    errno = code;
    throw Error::from_errno("connect to " + address);
  }
  return {std::move(socket), address, patience};
}

ResponseStream::ResponseStream(Connection connection) : connection_(std::move(connection)) {
  while (!parser_.head_complete()) {
    if (!receive()) throw Error{connection_.peer + " closed the connection"};
  }
}

std::string ResponseStream::header(const std::string& name) const {
  const auto found = parser_.headers().find(name);
  return found == parser_.headers().end() ? std::string{} : found->second;
}

bool ResponseStream::receive() {
  std::array<char, 16384> buffer;
  const bool bounded = connection_.patience.until != Patience::Clock::time_point::max();
  for (;;) {
    // Before each read, so that a peer that never stops talking is bounded too.
    if (bounded) connection_.patience.wait(fd(), POLLIN);
    const auto count = ::recv(fd(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      connection_.patience.wait(fd(), POLLIN);
      continue;
    }
    if (count < 0) throw Error::from_errno("read from " + connection_.peer);
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
    if (all.size() > limit) {
      throw Error{fmt::format("the answer is larger than {}", human_size(limit))};
    }
  }
  return all;
}

ResponseStream http_send(Connection connection, const Request& request) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
                                 request.method, request.target, request.host);
  for (const auto& [name, value] : request.headers) head += fmt::format("{}: {}\r\n", name, value);
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    head += fmt::format("Content-Length: {}\r\n", request.body.size());
  }
  head += "\r\n";
  send_all(connection, head.append(request.body));
  return ResponseStream{std::move(connection)};
}

ResponseStream http_open(const std::string& socket, std::string_view method,
                         std::string_view target, std::string_view json_body) {
  Request request;
  request.method = method;
  request.target = target;
  request.body = json_body;
  if (!json_body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  return http_send(connect_unix(socket), request);
}

Response http_request(const std::string& socket, std::string_view method, std::string_view target,
                      std::string_view json_body) {
  auto stream = http_open(socket, method, target, json_body);
  Response response;
  response.status = stream.status();
  response.body = stream.read_all(kMaxBody);
  return response;
}

bool Url::is_numeric() const { return tcp_address(host, port).size != 0; }

std::optional<Url> parse_url(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return std::nullopt;
  }
  Url url;
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  url.scheme = lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return std::nullopt;
  text.remove_prefix(colon + 3);
  const auto slash = std::min(text.find_first_of("/?#"), text.size());
  url.authority = text.substr(0, slash);
  url.target = text.substr(slash, text.find('#') - slash);
  if (!url.target.starts_with('/')) url.target.insert(0, 1, '/');
  std::string_view host = url.authority;
  if (const auto at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  std::string_view port;
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    port = host.substr(end + 1);
    host = host.substr(1, end - 1);
  } else {
    port = host.substr(std::min(host.find(':'), host.size()));
    host.remove_suffix(port.size());
  }
  url.host = host;
  std::uint32_t number = url.scheme == "http" ? 80 : 443;
  if (port.size() > 1) {
    const auto [stop, code] = std::from_chars(port.data() + 1, port.data() + port.size(), number);
    if (code != std::errc{} || stop != port.data() + port.size()) return std::nullopt;
  }
  if ((!port.empty() && port[0] != ':') || number == 0 || number > 65535) return std::nullopt;
  url.port = static_cast<std::uint16_t>(number);
  if (url.host.empty()) return std::nullopt;
  return url;
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
