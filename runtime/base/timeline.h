// Where the time of a boot went: one stage a line of /run/ros/timeline, "BEGIN END NAME", in
// seconds since the kernel started. init and `ros sysinit` write it, `ros os timeline` shows it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ros {

inline constexpr const char* kTimeline = "/run/ros/timeline";
// There once the system is ready: the uptime at which it was. `ros sysinit` writes it.
inline constexpr const char* kReady = "/run/ros/ready";

struct Stage {
  double begin = 0, end = 0;
  std::string name;
  bool operator==(const Stage&) const = default;
};

double uptime() noexcept;  // seconds since the kernel started
// Appends a stage that ends now. What cannot be written is not worth an error.
void note_stage(double begin, std::string_view name) noexcept;

// Lines that are no stage are left out; the result is in order of beginning.
std::vector<Stage> parse_timeline(std::string_view text);

}  // namespace ros
