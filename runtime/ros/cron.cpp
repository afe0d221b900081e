#include "runtime/ros/cron.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

constexpr int kYearsAhead = 9;  // 29 February is at most eight years away

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw Error{fmt::format("cron.schedule {}: {}", quote(text), why), Error::Kind::input}.hint(
      "MINUTE HOUR DAY MONTH WEEKDAY, with SECOND before it or not, @daily, or @every 1h30m");
}

struct Field {
  const char* name;
  int least, most;
  std::vector<std::string> words = {};  // that stand for `least`, `least` + 1 …
};

const Field kSecond{"second", 0, 59}, kMinute{"minute", 0, 59}, kHour{"hour", 0, 23},
    kDay{"day", 1, 31},
    kMonth{"month",
           1,
           12,
           {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
    kWeekday{"weekday", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}};

std::optional<int> number_of(std::string_view text) {
  int number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || end != text.data() + text.size() || number < 0) return {};
  return number;
}

int value_of(const Field& field, const std::string& text, std::string_view whole) {
  std::string lower = text;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto word = std::ranges::find(field.words, lower);
  if (word != field.words.end()) return field.least + static_cast<int>(word - field.words.begin());
  const auto number = number_of(text);
  if (!number || *number < field.least || *number > field.most)
    refuse(whole, fmt::format("{} is no {} from {} to {}", quote(text), field.name, field.least,
                              field.most));
  return *number;
}

// "*", "5", "1-5", "*/10", "1-30/2", and several of them with commas between.
template <std::size_t N>
std::bitset<N> parse_field(const Field& field, const std::string& text, std::string_view whole) {
  std::bitset<N> set;
  for (const auto& part : split(text, ',')) {
    const auto slash = part.find('/');
    const std::string range = part.substr(0, slash);
    int step = 1;
    if (slash != part.npos) {
      const auto number = number_of(part.substr(slash + 1));
      if (!number || *number == 0) refuse(whole, quote(part) + " has no step");
      step = *number;
    }
    int first = field.least, last = field.most;
    const auto dash = range.find('-');
    if (range != "*" && range != "?") {
      first = value_of(field, range.substr(0, dash), whole);
      if (dash != range.npos) {
        last = value_of(field, range.substr(dash + 1), whole);
      } else if (slash == part.npos) {
        last = first;
      }
    }
    if (first > last) refuse(whole, quote(part) + " ends before it begins");
    for (int i = first; i <= last; i += std::min(step, field.most + 1))
      set.set(static_cast<std::size_t>(i));
  }
  return set;
}

// "1h30m", "90s".
std::chrono::seconds parse_duration(std::string_view text, std::string_view whole) {
  constexpr long kMost = 366L * 24 * 3600;
  long total = 0;
  while (!text.empty()) {
    const auto unit = text.find_first_not_of("0123456789");
    const auto number = number_of(text.substr(0, unit));
    if (!number || unit == text.npos) refuse(whole, "this is no duration like 1h30m");
    const long factor = text[unit] == 'h' ? 3600 : text[unit] == 'm' ? 60 : 1;
    if (factor == 1 && text[unit] != 's') refuse(whole, "a duration has h, m and s");
    total += std::min<long>(*number, kMost) * factor;
    text.remove_prefix(unit + 1);
  }
  if (total <= 0 || total > kMost) refuse(whole, "a duration lies between 1s and a year");
  return std::chrono::seconds{total};
}

bool is_star(const std::string& field) { return field[0] == '*' || field[0] == '?'; }

}  // namespace

Schedule Schedule::parse(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNames{
      {{"@yearly", "0 0 1 1 *"},
       {"@annually", "0 0 1 1 *"},
       {"@monthly", "0 0 1 * *"},
       {"@weekly", "0 0 * * 0"},
       {"@daily", "0 0 * * *"},
       {"@midnight", "0 0 * * *"},
       {"@hourly", "0 * * * *"}}};
  Schedule schedule;
  auto fields = words(text);
  if (fields.size() == 2 && fields[0] == "@every") {
    schedule.every_ = parse_duration(fields[1], text);
    return schedule;
  }
  for (const auto& [name, meaning] : kNames) {
    if (fields.size() == 1 && fields[0] == name) fields = words(meaning);
  }
  if (fields.size() == 5) fields.insert(fields.begin(), "0");
  if (fields.size() != 6) refuse(text, "five or six fields are expected");
  schedule.seconds_ = parse_field<60>(kSecond, fields[0], text);
  schedule.minutes_ = parse_field<60>(kMinute, fields[1], text);
  schedule.hours_ = parse_field<24>(kHour, fields[2], text);
  schedule.days_ = parse_field<32>(kDay, fields[3], text);
  schedule.months_ = parse_field<13>(kMonth, fields[4], text);
  schedule.weekdays_ = parse_field<8>(kWeekday, fields[5], text);
  if (schedule.weekdays_[7]) schedule.weekdays_.set(0);  // both are Sunday
  schedule.any_day_ = is_star(fields[3]);
  schedule.any_weekday_ = is_star(fields[5]);
  return schedule;
}

// crontab(5): when both are given, either is enough.
bool Schedule::matches_day(const std::tm& day) const {
  const bool by_day = days_[static_cast<std::size_t>(day.tm_mday)];
  const bool by_weekday = weekdays_[static_cast<std::size_t>(day.tm_wday)];
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

std::optional<std::time_t> Schedule::next(std::time_t time) const {
  if (every_.count() > 0) return time + every_.count();
  std::time_t now = time + 1;
  std::tm at{};
  if (!::localtime_r(&now, &at)) return {};
  const int last_year = at.tm_year + kYearsAhead;
  // mktime(3) puts the fields in order. Where a clock is put forward over that moment it may give
  // an earlier one; then an hour is stepped over.
  const auto go_on = [&] {
    at.tm_isdst = -1;
    const std::time_t later = ::mktime(&at);
    now = later > now ? later : now + 3600;
    ::localtime_r(&now, &at);
  };
  const auto is = [](const auto& set, int value) { return set[static_cast<std::size_t>(value)]; };
  while (at.tm_year <= last_year) {
    if (!is(months_, at.tm_mon + 1)) {
      ++at.tm_mon;
      at.tm_mday = 1;
      at.tm_hour = at.tm_min = at.tm_sec = 0;
    } else if (!matches_day(at)) {
      ++at.tm_mday;
      at.tm_hour = at.tm_min = at.tm_sec = 0;
    } else if (!is(hours_, at.tm_hour)) {
      ++at.tm_hour;
      at.tm_min = at.tm_sec = 0;
    } else if (!is(minutes_, at.tm_min)) {
      ++at.tm_min;
      at.tm_sec = 0;
    } else if (at.tm_sec > 59 || !is(seconds_, at.tm_sec)) {
      ++at.tm_sec;
    } else {
      return now;
    }
    go_on();
  }
  return {};
}

}  // namespace ros
