// A configuration out of a text, for tests of what reads it.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "runtime/config/load.h"

namespace ros::test {

// Fails the test when the text is not valid.
inline Config config_of(const std::string& text) {
  Config config;
  add_layer(config, text, "c.yml");
  for (const auto& problem : config.problems) FAIL_CHECK(problem);
  return config;
}

}  // namespace ros::test
