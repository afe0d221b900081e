// A cloud's metadata service: a server of ours that the guest finds at the cloud's address.
#pragma once

#include <map>
#include <string>

#include "runtime/base/file.h"
#include "tests/support/http_server.h"

namespace proof {

class Service : public ros::test::HttpServer {
 public:
  // QEMU starts the program for each connection.
  Service(const ros::fs::path& folder, const std::string& address)
      : forward_(folder / ("forward-" + address)), address_(address) {
    const std::string port = url().substr(url().rfind(':') + 1);
    ros::write_file(forward_,
                    "exec 3<>/dev/tcp/127.0.0.1/" + port + "\ncat <&0 >&3 &\nexec cat <&3\n");
  }
  // Of QEMU's user network.
  std::string option() const {
    return ",guestfwd=tcp:" + address_ + ":80-cmd:/bin/bash " + forward_.string();
  }
  // Documents below `path`, by their names.
  void put_below(const std::string& path, const std::map<std::string, std::string>& documents) {
    for (const auto& [name, text] : documents) put(path + name, text);
  }

 private:
  ros::fs::path forward_;
  std::string address_;
};

}  // namespace proof
