// cron.schedule: what is due when.
#include "runtime/ros/cron.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "runtime/base/error.h"

using namespace ros;

namespace {

// Local time in, local time out, in Berlin: it has summer time.
struct Berlin {
  Berlin() { set("CET-1CEST,M3.5.0,M10.5.0/3"); }
  ~Berlin() { set("UTC0"); }
  static void set(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
};

std::string next(const char* schedule, const char* after) {
  std::tm at{};
  REQUIRE(::strptime(after, "%Y-%m-%d %H:%M:%S", &at));
  at.tm_isdst = -1;
  const auto due = Schedule::parse(schedule).next(::mktime(&at));
  if (!due) return "never";
  std::tm then{};
  ::localtime_r(&*due, &then);
  char text[32];
  ::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &then);
  return text;
}

}  // namespace

TEST_CASE("cron: fields, lists, ranges, steps and names") {
  const Berlin berlin;
  CHECK(next("30 4 * * *", "2026-01-31 04:29:59") == "2026-01-31 04:30:00");
  CHECK(next("30 4 * * *", "2026-01-31 04:30:00") == "2026-02-01 04:30:00");
  CHECK(next("*/20 * * * * ?", "2026-01-31 23:59:41") == "2026-02-01 00:00:00");
  CHECK(next("5-10/5,30 8 * * *", "2026-05-01 08:05:00") == "2026-05-01 08:10:00");
  CHECK(next("5-10/5,30 8 * * *", "2026-05-01 08:10:00") == "2026-05-01 08:30:00");
  CHECK(next("0 0 1 jan *", "2026-01-01 00:00:00") == "2027-01-01 00:00:00");
  CHECK(next("0 12 * * MON-fri", "2026-11-27 12:00:00") == "2026-11-30 12:00:00");
  CHECK(next("0 0 * * 7", "2026-11-26 00:00:00") == "2026-11-29 00:00:00");
  CHECK(next("0 0 29 2 *", "2026-03-01 00:00:00") == "2028-02-29 00:00:00");
  CHECK(next("0 0 31 2 *", "2026-03-01 00:00:00") == "never");
  // Both days given: either will do.
  CHECK(next("0 0 13 * fri", "2026-11-26 00:00:00") == "2026-11-27 00:00:00");
  CHECK(next("0 0 28 * fri", "2026-11-27 00:00:00") == "2026-11-28 00:00:00");
}

TEST_CASE("cron: words and intervals") {
  const Berlin berlin;
  CHECK(next("@hourly", "2026-11-26 10:00:01") == "2026-11-26 11:00:00");
  CHECK(next("@daily", "2026-11-26 10:00:01") == "2026-11-27 00:00:00");
  CHECK(next("@weekly", "2026-11-26 10:00:01") == "2026-11-29 00:00:00");
  CHECK(next("@monthly", "2026-11-26 10:00:01") == "2026-12-01 00:00:00");
  CHECK(next("@yearly", "2026-11-26 10:00:01") == "2027-01-01 00:00:00");
  CHECK(next("@every 1h30m", "2026-11-26 10:00:01") == "2026-11-26 11:30:01");
}

TEST_CASE("cron: the night when clocks are changed ends") {
  const Berlin berlin;
  CHECK(next("30 2 * * *", "2026-03-28 12:00:00") ==
        "2026-03-30 02:30:00");  // not there on the 29th
  CHECK(next("30 3 * * *", "2026-03-28 12:00:00") == "2026-03-29 03:30:00");
  CHECK(next("0 4 * * *", "2026-10-24 12:00:00") == "2026-10-25 04:00:00");
}

TEST_CASE("cron: what is no schedule is refused") {
  for (const char* text : {"",
                           "* * * *",
                           "* * * * * * *",
                           "60 * * * *",
                           "* 24 * * *",
                           "* * 0 * *",
                           "* * * 13 *",
                           "* * * * 8",
                           "*/0 * * * *",
                           "5-1 * * * *",
                           "a * * * *",
                           "1,,2 * * * *",
                           "@reboot",
                           "@every",
                           "@every 0s",
                           "@every 5",
                           "@every 1d",
                           "@every 99999999999999h",
                           "1- * * * *",
                           "-1 * * * *",
                           "1/x * * * *",
                           "99999999999999999999 * * * *"}) {
    INFO(text);
    CHECK_THROWS_AS(Schedule::parse(text), Error);
  }
}
