#include "runtime/ros/options.h"

#include <catch2/catch.hpp>

#include "runtime/base/error.h"

using namespace ros;

TEST_CASE("an option is taken in each of its forms, and only it") {
  for (const Arguments& given : {Arguments{"-t", "7", "web"}, Arguments{"web", "--timeout", "7"},
                                 Arguments{"--timeout=7", "web"}}) {
    Arguments arguments = given;
    CHECK(take_number(arguments, "-t", "--timeout", 10) == 7);
    CHECK(arguments == Arguments{"web"});
  }
  Arguments none{"web"};
  CHECK(take_number(none, "-t", "--timeout", 10) == 10);
  CHECK(take_option(none, "-t", "--timeout").empty());
  CHECK_FALSE(take_flag(none, "-f", "--force"));
  CHECK(none == Arguments{"web"});
  Arguments empty{"", ""};  // is no option without a brief form
  CHECK(take_option(empty, "", "--network").empty());
  CHECK_FALSE(take_flag(empty, "", "--no-pull"));
  CHECK(empty.size() == 2);
  Arguments twice{"-f", "web", "--force"};
  CHECK(take_flag(twice, "-f", "--force"));
  CHECK(twice == Arguments{"web"});
}

TEST_CASE("a wrong number is refused") {
  for (const char* text : {"x", "7x", "-1", "1.5", "99999999999999999999", "65536", " 7"}) {
    CAPTURE(text);
    Arguments arguments{"--ssh-port", text};
    CHECK_THROWS_WITH(take_number(arguments, "", "--ssh-port", 0, 65535),
                      Catch::Contains("--ssh-port needs a number of at most 65535"));
  }
  Arguments last{"--ssh-port=65535"};
  CHECK(take_number(last, "", "--ssh-port", 0, 65535) == 65535);
  Arguments missing{"-t"};
  CHECK_THROWS_WITH(take_number(missing, "-t", "--timeout", 10), Catch::Contains("needs a value"));
}
