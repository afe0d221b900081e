// An HTTP server on the loopback: documents by path, and what was asked for.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/fd.h"

namespace ros::test {

// A socket on 127.0.0.1 and a free port, or this one. Connections to it are made, and never
// answered, when nobody accepts them.
struct Listener {
  explicit Listener(std::uint16_t port = 0)
      : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const int again = 1;  // although connections of an earlier one are still being forgotten
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &again, sizeof again);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket.get(), generic, size) != 0 || ::listen(socket.get(), 64) != 0 ||
        ::getsockname(socket.get(), generic, &size) != 0) {
      throw std::runtime_error{"no socket on the loopback"};
    }
    url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  Fd socket;
  std::string url;  // no slash at the end
};

class HttpServer {
 public:
  // Answers that come one after the other; the last stays.
  using Answers = std::vector<std::string>;

  explicit HttpServer(std::uint16_t port = 0) : listener_(port), thread_([this] { serve(); }) {}
  ~HttpServer() {
    ::shutdown(listener_.socket.get(), SHUT_RDWR);
    thread_.join();
  }

  const std::string& url() const { return listener_.url; }

  static std::string answer(int status, const std::string& body, const std::string& headers = {}) {
    return "HTTP/1.1 " + std::to_string(status) +
           " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" +
           body;
  }
  // `target` with its query. What was not put is answered with 404.
  void put(const std::string& target, const std::string& body) {
    put_raw("GET " + target, {answer(200, body)});
  }
  // `line` is "METHOD TARGET"; answers are whole, with their head.
  void put_raw(const std::string& line, Answers answers) {
    const std::lock_guard lock{mutex_};
    answers_[line] = std::move(answers);
  }

  // All documents, as if there never had been any.
  void clear() {
    const std::lock_guard lock{mutex_};
    answers_.clear();
  }

  // Requests, each a text of lines and, behind an empty one, its body.
  std::vector<std::string> requests() const {
    const std::lock_guard lock{mutex_};
    return requests_;
  }
  // The first request that starts with `line`; "" when there is none in time.
  std::string wait_for(const std::string& line, std::chrono::seconds limit) const {
    std::unique_lock lock{mutex_};
    std::string found;
    came_.wait_for(lock, limit, [&] {
      const auto request = std::find_if(requests_.begin(), requests_.end(),
                                        [&](const auto& each) { return each.starts_with(line); });
      if (request != requests_.end()) found = *request;
      return !found.empty();
    });
    return found;
  }

 private:
  void serve() {
    for (;;) {
      const Fd peer{::accept4(listener_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      if (!peer) return;
      const std::string text = take_answer(read_request(peer));
      for (std::size_t sent = 0; sent < text.size();) {
        const auto count = ::send(peer.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) break;
        sent += static_cast<std::size_t>(count);
      }
    }
  }

  // Its head, and as much of a body as the head promises.
  static std::string read_request(const Fd& peer) {
    std::string request;
    std::size_t wanted = std::string::npos;
    while (request.size() < wanted) {
      char buffer[4096];
      const auto count = ::read(peer.get(), buffer, sizeof buffer);
      if (count <= 0) break;
      request.append(buffer, static_cast<std::size_t>(count));
      const auto end = request.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const std::string name = "Content-Length: ";
      const auto length = request.find(name);
      wanted = end + 4;
      if (length < end) wanted += std::strtoul(&request[length + name.size()], nullptr, 10);
    }
    return request;
  }

  std::string take_answer(const std::string& request) {
    const std::lock_guard lock{mutex_};
    requests_.push_back(request);
    came_.notify_all();
    const auto found = answers_.find(request.substr(0, request.find(" HTTP/")));
    if (found == answers_.end()) return answer(404, "not found");
    Answers& answers = found->second;
    const std::string first = answers.front();
    if (answers.size() > 1) answers.erase(answers.begin());
    return first;
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable came_;
  std::map<std::string, Answers> answers_;
  std::vector<std::string> requests_;
  Listener listener_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace ros::test
