#include "runtime/ros/power.h"

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace ros;

TEST_CASE("power: a time for a shutdown is now, in minutes, or of the clock") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  constexpr std::time_t kMidnight = 20'000 * 86'400;
  constexpr std::time_t kNow = kMidnight + 13 * 3600 + 30 * 60 + 5;  // 13:30:05
  CHECK(shutdown_time("now", kNow) == kNow);
  CHECK(shutdown_time("+0", kNow) == kNow);
  CHECK(shutdown_time("+90", kNow) == kNow + 5400);
  CHECK(shutdown_time("13:31", kNow) == kMidnight + 13 * 3600 + 31 * 60);
  CHECK(shutdown_time("13:30", kNow) == kMidnight + 86'400 + 13 * 3600 + 30 * 60);  // tomorrow
  CHECK(shutdown_time("0:05", kNow) == kMidnight + 86'400 + 5 * 60);
  for (const char* wrong : {"", "+", "+-1", "-5", "5", "+5m", "+600000", "24:00", "12:60", "12:3x",
                            "12", ":", "12:", "1:2:3", "+99999999999999", "noon"}) {
    CAPTURE(wrong);
    CHECK_FALSE(shutdown_time(wrong, kNow));
  }
}
