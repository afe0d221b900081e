// Keeps the system services running.
//
// Each service has a thread that starts its container and then blocks in the
// engine's `wait`: no polling, and no event can be missed. When system Docker
// dies, the call fails, the next one blocks until init has it back, and a
// container that lived on is simply waited for again.
//
// Files under /run/ros steer it, so that it can be replaced at any time:
// stopped/NAME (a person stopped the service) and stopping (the system goes down).
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "runtime/ros/services.h"

namespace ros {

inline constexpr const char* kStoppedFolder = "/run/ros/stopped";
inline constexpr const char* kStopping = "/run/ros/stopping";

bool stopping();

class Supervisor {
 public:
  explicit Supervisor(std::vector<Service> services) : services_(std::move(services)) {}
  // Starts one thread a service; they live as long as the process.
  void start();
  // Until each system service was started, or failed once.
  void wait_until_tried();

 private:
  void look_after(const Service& service);
  void wait_for_others(const Service& service);
  void mark_started(const std::string& name);
  void mark_tried(const std::string& name);

  std::vector<Service> services_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> started_, tried_;
};

}  // namespace ros
