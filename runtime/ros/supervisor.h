// Keeps the system services running.
//
// Each service has a thread that starts its container and then blocks in the
// engine's `wait`: no polling, and no event can be missed. When system Docker
// dies, the call fails, the next one blocks until init has it back, and a
// container that lived on is simply waited for again.
//
// Files under /run/ros steer it, so that it can be replaced at any time:
// stopped/NAME (a person stopped the service), renew/NAME (its next container is a new
// one), stopping (the system goes down) and reload/now (the configuration has changed).
#pragma once

#include <signal.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/ros/services.h"

namespace ros {

inline constexpr const char* kStoppedFolder = "/run/ros/stopped";
inline constexpr const char* kStopping = "/run/ros/stopping";

bool stopping();

// Keeps the supervisor from starting a service while it lives, or for good. SIGHUP, SIGINT and
// SIGTERM wait meanwhile: nobody else would take the mark away.
class Stopped {
 public:
  explicit Stopped(const std::string& service);
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;
  ~Stopped();

  void keep() { kept_ = true; }
  static void lift(const std::string& service);  // whoever left the mark

 private:
  class HeldSignals {
   public:
    HeldSignals();
    ~HeldSignals();

   private:
    sigset_t before_ = {};
  };

  HeldSignals held_;
  std::string service_;
  bool kept_ = false;
};

// When the service starts the next time, it does so in a new container.
void request_renewal(const std::string& service);

// Asks whoever supervises to read the configuration anew.
void request_reload();
// The same, and blocks until that is done, for some seconds at most.
void reload_now();
// Blocks until somebody has asked.
void wait_for_reload_request();

// What `ros service ps` says of a service that keeps ending.
struct Failure {
  int count = 0;    // in a row
  int pause = 0;    // seconds until it is tried again
  std::string why;  // one line
};
std::optional<Failure> failure_of(const std::string& service);

class Supervisor {
 public:
  // Takes over what the configuration says: what is new is started, a changed definition counts
  // when its service starts the next time, one that is gone is left alone. Threads live as long as
  // the process, which the supervisor must do, too.
  void update(std::vector<Service> services);
  // Until each system service was started, or failed once.
  void wait_until_tried();

 private:
  struct End {
    bool final = false;   // of the service, until the next boot
    bool failed = false;  // something went wrong
    std::string reason;
  };
  void look_after(const std::string& name);
  // `since`: when its first start began, in seconds after the kernel's; 0 once that is noted.
  // `restarts`: how often it was started again for having failed.
  End run_once(const Service& service, double& since, int& restarts);
  End run_on_schedule(const Service& service);
  std::optional<Service> current(const std::string& name);
  void wait_for_others(const Service& service);
  void mark_started(const Service& service);
  void mark_tried(const std::string& name);
  void mark_blocked(const std::string& name);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Service> services_;
  std::set<std::string> started_, tried_, blocked_, threads_;
};

}  // namespace ros
