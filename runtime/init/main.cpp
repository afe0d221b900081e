// init: PID 1 of the initramfs, and of the system for good.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string>

#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/base/timeline.h"
#include "runtime/init/boot.h"
#include "runtime/init/child.h"
#include "runtime/init/console.h"
#include "runtime/init/rescue.h"
#include "runtime/init/shutdown.h"

namespace ros {
namespace {

constexpr double kShutdownSeconds = 60;
constexpr double kEngineSeconds = 5;  // for engines that serve nobody yet

// `ros sysinit` knows the configuration (rancher.shutdown_timeout) and leaves it here.
double shutdown_seconds() {
  const std::string text{trim(try_read_file("/run/ros/shutdown-timeout").value_or(""))};
  double seconds = kShutdownSeconds;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return seconds;
}

[[noreturn]] void live() {
  try {
    Supervisor supervisor;
    EngineLog logs;
    try {
      boot(supervisor, logs);
    } catch (...) {
      supervisor.end_everything(uptime() + kEngineSeconds);  // a recovery console has no engines
      logs.close();                                          // and can be left in order
      throw;
    }
    const Ending ending = supervisor.run();
    shut_down(ending, supervisor, logs, shutdown_seconds());
  } catch (const std::exception& error) {
    recovery_console(error.what());
  }
}

// What ran is still there, for a process keeps its children when it executes another program.
[[noreturn]] void rescue(std::string_view signal) {
  try {
    Supervisor{}.end_everything(uptime() + kEngineSeconds);
  } catch (const std::exception& error) {
    log::error(error.what());
  }
  recovery_console(fmt::format("init crashed (signal {})", signal));
}

}  // namespace
}  // namespace ros

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == "--version") {
    std::puts("init " ROSBUILD_VERSION);
    return 0;
  }
  if (::getpid() != 1) {
    std::fputs("init: this is PID 1 of RancherOS; `ros` is the tool for people\n", stderr);
    return 2;
  }
  ::mallopt(M_ARENA_MAX, 1);  // its threads are few and short, and it lives as long as the box
  ros::set_path();
  ros::catch_crashes();
  if (argc > 1 && std::string_view{argv[1]} == ros::kRescueArgument)
    ros::rescue(argc > 2 ? argv[2] : "?");
  ros::live();
}
