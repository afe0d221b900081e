#include "builder/fetch/download.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "builder/os/process.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

// Answers each connection on the loopback with the next of its replies, then closes it.
class Server {
 public:
  explicit Server(std::vector<std::string> replies) : replies_(std::move(replies)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 8) == 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/x.deb", port_); }
  unsigned served() const { return served_; }

 private:
  void serve() {
    while (true) {
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      std::string request;
      char buffer[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const auto count = ::read(client, buffer, sizeof buffer);
        if (count <= 0) break;
        request.append(buffer, static_cast<std::size_t>(count));
      }
      const unsigned index = served_++;
      const auto& reply = replies_[std::min<std::size_t>(index, replies_.size() - 1)];
      (void)!::write(client, reply.data(), reply.size());
      ::close(client);
    }
  }
  std::vector<std::string> replies_;
  int listener_ = -1;
  unsigned port_ = 0;
  std::atomic<unsigned> served_ = 0;
  std::thread thread_;
};

std::string ok(const std::string& body, std::size_t announced) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                     announced, body);
}

std::string failure(const Download& file, DownloadOptions options = {}) {
  try {
    download({file}, options);
  } catch (const ros::Error& error) {
    return error.what();
  }
  return "no failure";
}

struct Fixture {
  ros::TempDir folder;
  std::string body = std::string(200'000, 'x') + "end";
  Download file(const std::string& url) {
    return {url, ros::sha256(body), body.size(), folder.path() / "out/x.deb"};
  }
  std::string local() {
    ros::write_file(folder.path() / "mirror/x.deb", body);
    return "file://" + (folder.path() / "mirror/x.deb").string();
  }
  // Neither the file nor a part of it.
  bool nothing_left() {
    return !fs::exists(folder.path() / "out") || fs::is_empty(folder.path() / "out");
  }
};

}  // namespace

TEST_CASE_METHOD(Fixture, "download: many files, each whole and right", "[fetch]") {
  std::vector<Download> files;
  for (int i = 0; i < 40; ++i) {
    const std::string text = fmt::format("file {}", i);
    const fs::path source = folder.path() / fmt::format("mirror/{}", i);
    ros::write_file(source, text);
    files.push_back({"file://" + source.string(), ros::sha256(text), text.size(),
                     folder.path() / fmt::format("out/{}", i)});
  }
  std::uint64_t last = 0;
  DownloadOptions options;
  options.progress = [&](std::uint64_t done, std::uint64_t) { last = done; };
  download(files, options);
  std::uint64_t total = 0;
  for (int i = 0; i < 40; ++i) {
    CHECK(ros::read_file(files[static_cast<std::size_t>(i)].out) == fmt::format("file {}", i));
    total += files[static_cast<std::size_t>(i)].size;
  }
  CHECK(last == total);
}

TEST_CASE_METHOD(Fixture, "download: a digest that differs names both", "[fetch]") {
  auto wanted = file(local());
  wanted.sha256 = std::string(64, '0');
  const std::string text = failure(wanted);
  CHECK_THAT(text, Contains("digest differs"));
  CHECK_THAT(text, Contains(wanted.sha256));
  CHECK_THAT(text, Contains(ros::sha256(body)));
  CHECK(nothing_left());
}

TEST_CASE_METHOD(Fixture, "download: a version that the mirror has dropped", "[fetch]") {
  CHECK_THAT(failure(file("file:///nonexistent/x.deb")),
             Contains("no longer on the mirror") && Contains("rosbuild lock --update"));
  const Server server{{"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"}};
  CHECK_THAT(failure(file(server.url())),
             Contains("no longer on the mirror") && Contains("rosbuild lock --update"));
  CHECK(server.served() == 1);
  CHECK(nothing_left());
}

TEST_CASE_METHOD(Fixture, "download: longer or shorter than locked is refused", "[fetch]") {
  auto wanted = file(local());
  wanted.size = 100;
  CHECK_THAT(failure(wanted), Contains("size differs: locked 100 bytes, received more than 100"));
  wanted.size = body.size() + 1;
  CHECK_THAT(failure(wanted), Contains("size differs"));
  CHECK(nothing_left());
}

TEST_CASE_METHOD(Fixture, "download: a connection that breaks is tried again", "[fetch]") {
  const Server server{{ok(body.substr(0, 1000), body.size()),
                       "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", ok(body, body.size())}};
  download({file(server.url())}, {});
  CHECK(server.served() == 3);
  CHECK(ros::read_file(folder.path() / "out/x.deb") == body);
}

TEST_CASE_METHOD(Fixture, "download: a mirror that is down gives the URL and the reason",
                 "[fetch]") {
  std::string url;
  {
    const Server gone{{""}};
    url = gone.url();
  }
  const std::string text = failure(file(url), {.attempts = 2});
  CHECK_THAT(text, Contains(url));
  CHECK_THAT(text, Contains("Failed to connect") || Contains("Could not connect"));
  CHECK(nothing_left());
}

TEST_CASE_METHOD(Fixture, "download: by a proxy, which is named when it fails", "[fetch]") {
  const Server proxy{{ok(body, body.size()), "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"}};
  auto wanted = file("http://mirror.test/x.deb");
  wanted.proxy = ros::replace_all(proxy.url(), "//", "//me:secret@");
  download({wanted}, {});
  CHECK(ros::read_file(folder.path() / "out/x.deb") == body);
  const std::string text = failure(wanted);
  CHECK_THAT(text, Contains("http://mirror.test/x.deb (by the proxy " + proxy.url() + ")") &&
                       Contains("403") && !Contains("secret"));
}

TEST_CASE_METHOD(Fixture, "download: a full disk is named", "[fetch]") {
  if (!fs::exists("/dev/full")) {
    WARN("SKIPPED: no /dev/full here");
    return;
  }
  fs::create_directories(folder.path() / "out");
  fs::create_symlink("/dev/full", folder.path() / "out/x.deb.part");
  CHECK_THAT(failure(file(local())), Contains("disk full") && Contains("XDG_CACHE_HOME"));
  CHECK(nothing_left());
}

TEST_CASE_METHOD(Fixture, "download: a stop request ends it and leaves nothing", "[fetch]") {
  std::stop_source stop;
  // Announces more than it sends and keeps the connection open.
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::thread silent([&] {
    const int client = ::accept(listener, nullptr, nullptr);
    stop.request_stop();
    char byte;
    while (::read(client, &byte, 1) > 0) {
    }
    ::close(client);
  });
  const auto wanted = file(fmt::format("http://127.0.0.1:{}/x", ntohs(address.sin_port)));
  CHECK_THROWS_AS(download({wanted}, {}, stop.get_token()), Cancelled);
  silent.join();
  ::close(listener);
  CHECK(nothing_left());
}
