#include "runtime/ros/power.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "runtime/base/error.h"

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

TEST_CASE("power: options of shutdown count wherever they stand") {
  const auto request = [](const Arguments& arguments) {
    return power_request("shutdown", arguments, 1000);
  };
  for (const Arguments& arguments :
       {Arguments{"-r", "now"}, {"now", "-r"}, {"-h", "--reboot", "now"}, {"-r"}}) {
    CHECK(request(arguments).action == "reboot");
    CHECK(request(arguments).message.empty());
  }
  for (const Arguments& arguments :
       {Arguments{"-h", "now"}, {"now"}, {"-P", "now"}, {"now", "-p"}, {"--poweroff"}, {}}) {
    CHECK(request(arguments).action == "poweroff");
    CHECK_FALSE(request(arguments).help);
  }
  // What QEMU's guest agent says.
  const auto halt = request({"-h", "-H", "+0", "hypervisor initiated shutdown"});
  CHECK(halt.action == "halt");
  CHECK(halt.when == 1000);
  CHECK(halt.message == " hypervisor initiated shutdown");
  const auto later = request({"+1", "back", "-r", "soon", "-f", "--", "-h", "now"});
  CHECK(later.action == "reboot");
  CHECK(later.force);
  CHECK(later.when == 1060);
  CHECK(later.message == " back soon -h now");
  CHECK(request({"-c"}).cancel);
  CHECK(request({"now", "--help"}).help);
  for (const Arguments& wrong :
       {Arguments{"now", "-x"}, {"noon"}, {"-t", "5"}, {"--", "-r"}, {"-"}})
    CHECK_THROWS_AS(request(wrong), Error);
}

TEST_CASE("power: reboot, poweroff and halt have few options, and -h is help") {
  for (const char* name : {"reboot", "poweroff", "halt"}) {
    CAPTURE(name);
    const auto request = [&](const Arguments& arguments) {
      return power_request(name, arguments, 1000);
    };
    CHECK(request({}).action == name);
    CHECK_FALSE(request({}).help);
    CHECK(request({"-h"}).help);
    CHECK(request({"--help"}).help);
    CHECK(request({"-f"}).force);
    CHECK(request({"-f"}).action == name);
    CHECK(request({"-p"}).action == "poweroff");
    for (const char* wrong : {"-r", "-P", "-H", "-c", "--cancel", "now", "+5", "-x"})
      CHECK_THROWS_AS(request({wrong}), Error);
  }
}
