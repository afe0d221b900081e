// Log lines of the runtime: to /dev/kmsg once it can be opened (kept until
// then), tagged with the program's name. Never throws, never blocks on memory.
#pragma once

#include <string_view>

namespace ros::log {

void set_name(std::string_view program);  // default "rancheros"
void error(std::string_view line) noexcept;
void info(std::string_view line) noexcept;
void debug(std::string_view line) noexcept;  // dropped unless set_debug(true)
void set_debug(bool on) noexcept;

}  // namespace ros::log
