#pragma once

#include <ctime>
#include <optional>
#include <string>

namespace ros {

// When a shutdown is to happen that somebody asked for at `now`: "now", "+MINUTES" (a year at
// most) or "HH:MM" of local time, today or, when that has passed, tomorrow. Nothing when `text`
// is none of these.
std::optional<std::time_t> shutdown_time(const std::string& text, std::time_t now);

}  // namespace ros
