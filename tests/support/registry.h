// A registry of images on the host, with the program of Debian's docker-registry.
#pragma once

#include <fmt/format.h>

#include "tests/support/guest.h"

namespace proof {

class Registry {
 public:
  // Keeps what is pushed below `folder`. `users`: lines of htpasswd with bcrypt; "": everybody may.
  explicit Registry(const fs::path& folder, const std::string& users = {}) : port_(free_port()) {
    const fs::path settings = folder / "registry.yml";
    std::string text = fmt::format(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n"
        "http:\n  addr: 127.0.0.1:{}\n",
        (folder / "registry").string(), port_);
    if (!users.empty()) {
      ros::write_file(folder / "users", users);
      text += fmt::format("auth:\n  htpasswd:\n    realm: tests\n    path: {}\n",
                          (folder / "users").string());
    }
    ros::write_file(settings, text);
    server_ = std::make_unique<Child>(
        std::vector<std::string>{"docker-registry", "serve", settings.string()});
  }
  void stop() { server_.reset(); }
  Child& server() { return *server_; }
  // As a guest knows it; without TLS, so both engines must be told that they may.
  std::string address() const { return fmt::format("10.0.2.2:{}", port_); }

 private:
  int port_;
  std::unique_ptr<Child> server_;
};

}  // namespace proof
