// The three programs that PID 1 keeps running, everything it reaps, and the
// signals that tell it to stop.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/init/child.h"

namespace ros {

enum class Ending { reboot, poweroff, halt };

class Supervisor {
 public:
  // Blocks the signals that it takes, for the threads made later as well.
  Supervisor();

  // Starts `command` now and again whenever it ends; after an end that came soon,
  // only after a pause that doubles from one second up to thirty.
  void keep(const std::string& name, Command command);
  // The same with a command that is made anew for each start.
  void keep(const std::string& name, std::function<Command()> command);
  // Starts it once; `ended` gets its exit status.
  pid_t once(Command command, std::function<void(int)> ended);

  // Calls `ready` whenever `fd` is readable; its true powers off. `fd` stays the caller's.
  void power_off_on(int fd, std::function<bool()> ready);

  // Reaps and restarts until something asks for an end: TERM and INT (Ctrl-Alt-Del)
  // reboot, USR2, PWR and the power button power off, USR1 halts.
  Ending run();

  // No restarts from here on. Runs `command` to its end or until `deadline`
  // (uptime in seconds), then kills it. True when it ended by itself, with 0.
  bool finish(Command command, double deadline);
  // Sends `signal` to a kept program and reaps until it has ended or `deadline`.
  void stop(const std::string& name, int signal, double deadline);
  // TERM to every process there is, KILL at the deadline; reaps them.
  void end_everything(double deadline);

 private:
  struct Kept {
    std::function<Command()> command;
    pid_t pid = 0;       // 0: waits for `again`
    double started = 0;  // uptimes
    double again = 0;
    double pause = 0;
  };
  void start(const std::string& name, Kept& kept);
  void reap();
  void collected(pid_t pid, int status);
  // Waits for signals until `until` (uptime; 0: no limit); a received ending.
  std::vector<Ending> wait(double until);
  bool wait_until(const std::function<bool()>& done, double deadline);

  Fd signals_;
  int button_ = -1;
  std::function<bool()> pressed_;
  std::map<std::string, Kept> kept_;
  std::map<pid_t, std::function<void(int)>> once_;
  bool stopping_ = false;
};

}  // namespace ros
