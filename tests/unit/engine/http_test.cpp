#include "runtime/engine/http.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/engine/docker.h"
#include "tests/support/http_server.h"

using namespace ros;

namespace {

// Feeds `text` in pieces of `size`; returns the body.
std::string parse(const std::string& text, std::size_t size, int* status = nullptr) {
  ResponseParser parser;
  std::string body;
  for (std::size_t at = 0; at < text.size(); at += size) {
    parser.feed(text.substr(at, size), body);
  }
  parser.finish();
  if (status) *status = parser.status();
  return body;
}

// A server that answers each connection with the next of `answers`.
class FakeEngine {
 public:
  explicit FakeEngine(std::vector<std::string> answers) : answers_(std::move(answers)) {
    socket_ = (folder_.path() / "s").string();
    listener_ = Fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_.data(), socket_.size());
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    thread_ = std::thread{[this] { serve(); }};
  }
  ~FakeEngine() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  const std::string& socket() const { return socket_; }
  std::vector<std::string> requests;  // read after all answers were taken

 private:
  void serve() {
    for (const auto& answer : answers_) {
      const Fd peer{::accept(listener_.get(), nullptr, nullptr)};
      if (!peer) return;
      std::string request;
      char buffer[4096];
      for (;;) {
        const auto end = request.find("\r\n\r\n");
        if (end != std::string::npos) {
          const auto at = request.find("Content-Length: ");
          const std::size_t body =
              at == std::string::npos ? 0 : std::stoul(request.substr(at + 16));
          if (request.size() >= end + 4 + body) break;
        }
        const auto count = ::read(peer.get(), buffer, sizeof buffer);
        if (count <= 0) break;
        request.append(buffer, static_cast<std::size_t>(count));
      }
      requests.push_back(request);
      write_all(peer.get(), answer);
    }
  }

  TempDir folder_;
  std::string socket_;
  std::vector<std::string> answers_;
  Fd listener_;
  std::thread thread_;
};

std::string answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("a response is the same however its bytes are cut") {
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;ext=1\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
  const std::string sized = "HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\nhello";
  for (std::size_t size = 1; size < chunked.size(); ++size) {
    CAPTURE(size);
    CHECK(parse(chunked, size) == "hello 0123456789");
    int status = 0;
    CHECK(parse(sized, size, &status) == "hello");
    CHECK(status == 201);
  }
  CHECK(parse("HTTP/1.1 200 OK\r\n\r\nuntil the end", 3) == "until the end");
  CHECK(parse("HTTP/1.1 204 No Content\r\n\r\n", 3).empty());
  CHECK(parse("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 7) ==
        "x");
}

TEST_CASE("what is no response is refused") {
  CHECK_THROWS_AS(parse("nonsense\r\n\r\n", 4), Error);
  CHECK_THROWS_AS(parse("HTTP/1.1 abc\r\n\r\n", 4), Error);
  CHECK_THROWS_AS(parse("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 4), Error);
  CHECK_THROWS_AS(parse("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", 4),
                  Error);
  CHECK_THROWS_AS(parse("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", 4), Error);
  CHECK_THROWS_AS(parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 4), Error);
  CHECK_THROWS_AS(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 4), Error);
  CHECK_THROWS_AS(
      parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", 4),
      Error);
  CHECK_THROWS_AS(parse("HTTP/1.1 200 OK\r\n" + std::string(70'000, 'a'), 1000), Error);
  CHECK_THROWS_AS(
      parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(5000, '1'), 1000),
      Error);
}

TEST_CASE("requests reach the engine whole") {
  FakeEngine engine{{answer(201, R"({"Id":"abc"})"), answer(404, R"({"message":"no such"})"),
                     answer(304, ""), answer(500, R"({"message":"disk is full"})")}};
  const Docker docker{engine.socket()};
  ContainerSpec spec;
  spec.image = "x";
  CHECK(docker.create("my name", spec) == "abc");
  CHECK_FALSE(docker.inspect("gone"));
  docker.start("abc");
  CHECK_THROWS_WITH(docker.start("abc"), Catch::Contains("disk is full"));
  CHECK(
      engine.requests[0].starts_with("POST /v1.44/containers/create?name=my%20name HTTP/1.1\r\n"));
  CHECK(engine.requests[0].ends_with(create_body(spec)));
}

TEST_CASE("an engine that talks nonsense is an error, not a crash") {
  FakeEngine engine{{answer(200, "<html>"), answer(200, R"({"State":null,"Id":7})"), "",
                     answer(200, R"([{"Names":[],"Labels":null},{"Id":"i","Names":["/n"]}])")}};
  const Docker docker{engine.socket()};
  CHECK_THROWS_AS(docker.inspect("a"), Error);
  CHECK(docker.inspect("a")->id.empty());
  CHECK_THROWS_AS(docker.ping(), Error);
  const auto containers = docker.list(true);
  REQUIRE(containers.size() == 2);
  CHECK(containers[1].name == "n");
}

TEST_CASE("a container is listed, waited for and logged") {
  std::string frames{"\1\0\0\0\0\0\0\3out\2\0\0\0\0\0\0\3err", 22};
  FakeEngine engine{
      {answer(200,
              R"([{"Id":"1","Names":["/web"],"State":"running","Labels":{"a":"b"},"Image":"i"}])"),
       answer(200, R"({"StatusCode":3})"), answer(200, frames)}};
  const Docker docker{engine.socket()};
  const auto list = docker.list(true, "a=b");
  REQUIRE(list.size() == 1);
  CHECK(list[0].running());
  CHECK(list[0].labels.at("a") == "b");
  CHECK(docker.wait("1") == 3);
  std::string out, err;
  docker.logs("1", false, 10,
              [&](int stream, std::string_view bytes) { (stream == 2 ? err : out) += bytes; });
  CHECK(out == "out");
  CHECK(err == "err");
}

TEST_CASE("the log of a container with a terminal has no frames") {
  // What begins as a frame would is no frame.
  const std::string text{"\1\0\0\0\0\0\0\3text of a terminal\r\n", 28};
  const std::string type = "Content-Type: application/vnd.docker.";
  const auto typed = [&](const std::string& stream, const std::string& body) {
    std::string whole = answer(200, body);
    return whole.insert(whole.find("Content-Length"), type + stream + "-stream\r\n");
  };
  FakeEngine engine{{typed("raw", text), typed("multiplexed", text.substr(0, 8) + "out")}};
  const Docker docker{engine.socket()};
  std::string out;
  const auto sink = [&](int stream, std::string_view bytes) {
    CHECK(stream == 1);
    out += bytes;
  };
  docker.logs("1", false, -1, sink);
  CHECK(out == text);
  out.clear();
  docker.logs("1", false, -1, sink);
  CHECK(out == "out");
}

TEST_CASE("nobody there is an error") {
  CHECK_THROWS_WITH(Docker{"/nonexistent/socket"}.ping(), Catch::Contains("/nonexistent/socket"));
  CHECK_THROWS_AS(Docker{std::string(200, 'x')}.ping(), Error);
}

TEST_CASE("log frames survive any cut") {
  const std::string frames{"\1\0\0\0\0\0\0\5hello\2\0\0\0\0\0\0\1x", 22};
  for (std::size_t size = 1; size < 40; ++size) {
    LogReader logs;
    std::string text;
    for (std::size_t at = 0; at < frames.size(); at += size) {
      logs.feed(frames.substr(at, size), [&](int stream, std::string_view bytes) {
        text += std::to_string(stream) + std::string{bytes};
      });
    }
    CHECK(text == "1hello2x");
  }
}

TEST_CASE("the create request says what the service says") {
  ContainerSpec spec;
  spec.image = "rancher/os:latest";
  spec.command = {"ros", "x \"quoted\""};
  spec.privileged = true;
  spec.uts = "host";
  spec.hostname = "ignored with uts host";
  spec.binds = {"/a:/b:ro"};
  spec.environment = {{"A", "1"}};
  spec.ports = {"127.0.0.1:80:8080", "53/udp"};
  spec.memory = 1 << 20;
  const std::string body = create_body(spec);
  for (const char* part :
       {R"("Image":"rancher/os:latest")", R"("Cmd":["ros","x \"quoted\""])", R"("Privileged":true)",
        R"("UTSMode":"host")", R"("Binds":["/a:/b:ro"])", R"("Env":["A=1"])", R"("Memory":1048576)",
        R"("8080/tcp":[{"HostIp":"127.0.0.1","HostPort":"80"}])", R"("53/udp")",
        R"("RestartPolicy":{"Name":"no"})"}) {
    CAPTURE(body, part);
    CHECK(body.find(part) != std::string::npos);
  }
  CHECK(body.find("Hostname") == std::string::npos);
  CHECK(body == create_body(spec));
  spec.log_opts = {{"max-size", "1m"}};  // of the daemon's default driver
  CHECK(create_body(spec).find(R"("LogConfig":{"Config":{"max-size":"1m"},"Type":""})") !=
        std::string::npos);
  spec.log_opts.clear();
  spec.command.push_back("\xff");  // no UTF-8: no exception
  CHECK(create_body(spec) != body);
}

TEST_CASE("percent encoding keeps only what needs none") {
  CHECK(percent_encode("a b/c?{}ä~") == "a%20b%2Fc%3F%7B%7D%C3%A4~");
}

TEST_CASE("URLs are taken apart, or refused") {
  const auto url = parse_url("HTTP://192.0.2.1:8080/a/b?c=d#e");
  REQUIRE(url);
  CHECK(url->scheme == "http");
  CHECK(url->host == "192.0.2.1");
  CHECK(url->port == 8080);
  CHECK(url->target == "/a/b?c=d");
  CHECK(url->authority == "192.0.2.1:8080");
  CHECK(url->is_numeric());
  CHECK(parse_url("https://example.com")->port == 443);
  CHECK(parse_url("https://example.com")->target == "/");
  CHECK(parse_url("http://example.com?a")->target == "/?a");
  CHECK(parse_url("http://user@example.com/")->host == "example.com");
  CHECK_FALSE(parse_url("http://example.com")->is_numeric());
  CHECK(parse_url("http://[2001:db8::1]:81/")->host == "2001:db8::1");
  CHECK(parse_url("http://[2001:db8::1]:81/")->port == 81);
  CHECK(parse_url("http://[2001:db8::1]/")->is_numeric());
  for (const char* wrong :
       {"", "192.0.2.1", "ftp://a/", "http://", "http:///x", "http://a:0/", "http://a:65536/",
        "http://a:x/", "http://[::1/", "http://[::1]x/", "http://a/b c", "http://a/\r\nHost: b"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_url(wrong));
  }
}

TEST_CASE("a request goes over TCP, within bounds") {
  using std::chrono::milliseconds;
  test::HttpServer server;
  server.put_raw("PUT /x",
                 {test::HttpServer::answer(200, std::string(100, 'a'), "Name: value\r\n")});
  const auto port = parse_url(server.url())->port;
  const Patience patience = Patience{}.at_most(std::chrono::minutes{10});
  Request request;
  request.method = "PUT";
  request.target = "/x";
  request.host = "example.com";
  request.headers = {{"A", "b"}};
  auto response = http_send(connect_tcp("127.0.0.1", port, patience), request);
  CHECK(response.status() == 200);
  CHECK(response.header("name") == "value");
  CHECK(response.header("none").empty());
  CHECK(response.read_all(100) == std::string(100, 'a'));
  CHECK(server.requests()[0] ==
        "PUT /x HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\nA: b\r\n"
        "Content-Length: 0\r\n\r\n");
  auto again = http_send(connect_tcp("127.0.0.1", port, patience), request);
  CHECK_THROWS_WITH(again.read_all(99), Catch::Contains("larger than"));
  CHECK_THROWS_AS(connect_tcp("localhost", port, patience), Error);

  const test::Listener dead;
  const auto silent = parse_url(dead.url)->port;
  CHECK_THROWS_WITH(
      http_send(connect_tcp("127.0.0.1", silent, Patience{}.at_most(milliseconds{50})), request),
      Catch::Contains("timed out"));
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const Fd reader{ends[0]}, writer{ends[1]};
  REQUIRE(::write(writer.get(), "x", 1) == 1);
  const Patience called_off{patience.until, reader.get()};
  CHECK_THROWS_WITH(http_send(connect_tcp("127.0.0.1", silent, called_off), request),
                    Catch::Contains("called off"));
  CHECK_THROWS_WITH(called_off.pause(std::chrono::minutes{5}), Catch::Contains("called off"));
  CHECK_THROWS_WITH(Patience{}.at_most(milliseconds{0}).pause(milliseconds{1}),
                    Catch::Contains("timed out"));
}
