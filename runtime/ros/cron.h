// When a scheduled service runs: the label cron.schedule, in the words of crontab(5).
#pragma once

#include <bitset>
#include <chrono>
#include <ctime>
#include <optional>
#include <string_view>

namespace ros {

class Schedule {
 public:
  // "MINUTE HOUR DAY MONTH WEEKDAY", the same with SECOND before it, @hourly, @daily, @weekly,
  // @monthly, @yearly, or "@every 1h30m". Throws Error (kind input).
  static Schedule parse(std::string_view text);

  // The first time after `time` in local time; nothing for a day that never comes.
  std::optional<std::time_t> next(std::time_t time) const;

 private:
  bool matches_day(const std::tm& day) const;

  std::bitset<60> seconds_, minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<8> weekdays_;
  bool any_day_ = false, any_weekday_ = false;
  std::chrono::seconds every_{0};
};

}  // namespace ros
