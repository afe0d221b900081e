#include "runtime/base/timeline.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "runtime/base/fd.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

bool take_number(std::string_view& text, double& number) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || end == text.data() + text.size() || *end != ' ') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

}  // namespace

double uptime() noexcept {
  timespec now = {};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

void note_stage(double begin, std::string_view name) noexcept {
  try {
    const std::string line = fmt::format("{:.3f} {:.3f} {}\n", begin, uptime(), name);
    ::mkdir("/run/ros", 0755);
    const Fd file{::open(kTimeline, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)};
    if (file) (void)!::write(file.get(), line.data(), line.size());
  } catch (...) {
  }
}

std::vector<Stage> parse_timeline(std::string_view text) {
  std::vector<Stage> stages;
  for (const auto& line : split(text, '\n')) {
    std::string_view rest = line;
    Stage stage;
    if (!take_number(rest, stage.begin) || !take_number(rest, stage.end) || rest.empty() ||
        !(stage.begin >= 0 && stage.begin <= stage.end))
      continue;
    stage.name = rest;
    stages.push_back(std::move(stage));
  }
  std::ranges::stable_sort(stages, {}, &Stage::begin);
  return stages;
}

}  // namespace ros
