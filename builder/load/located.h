// A value together with the place in a file that it came from, so that a check
// made long after reading can still point at file:line:col.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/error.h"

namespace rosbuild {

template <class T>
struct Located {
  T value{};
  ros::Position at;
  bool operator==(const Located&) const = default;
};

using Text = Located<std::string>;

// The values alone.
inline std::vector<std::string> values(const std::vector<Text>& texts) {
  std::vector<std::string> found;
  for (const auto& text : texts) found.push_back(text.value);
  return found;
}

}  // namespace rosbuild
