#pragma once

#include <ctime>
#include <optional>
#include <string>

#include "runtime/ros/verbs.h"

namespace ros {

// When a shutdown is to happen that somebody asked for at `now`: "now", "+MINUTES" (a year at
// most) or "HH:MM" of local time, today or, when that has passed, tomorrow. Nothing when `text`
// is none of these.
std::optional<std::time_t> shutdown_time(const std::string& text, std::time_t now);

// What reboot, poweroff, halt or shutdown is asked for.
struct PowerRequest {
  std::string action;  // reboot, poweroff or halt
  bool force = false, cancel = false, help = false;
  std::optional<std::time_t> when;
  std::string message;  // for those who are logged in, each word after a blank
};

// Options count wherever they stand, as with getopt_long(3). Throws Error (kind usage).
PowerRequest power_request(const std::string& name, const Arguments& arguments, std::time_t now);

}  // namespace ros
