// Child processes that come and go with interfaces, for a loop that polls.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "runtime/ros/net_clients.h"

namespace ros {

class Children {
 public:
  void add(const std::string& owner, Client client);  // started by the next tend()
  void remove(const std::string& owner);              // SIGTERM to all of this owner's
  void stop();                                        // SIGTERM to all; none is started any more
  // Reaps what has ended and starts what is due. Never throws.
  void tend();
  bool any_running() const;
  // Milliseconds until something is due, -1 when nothing is.
  int due_ms() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Child {
    std::string owner;
    Client client;
    pid_t pid = 0;
    Clock::time_point due{};
    bool wanted = true, complained = false;
  };
  std::vector<Child> children_;
};

}  // namespace ros
