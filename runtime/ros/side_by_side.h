// Asking several who may know the same, all at once.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/patience.h"
#include "runtime/ros/datasource.h"

namespace ros {

struct Answer {
  std::optional<UserData> data;
  std::vector<std::string> problems;
  bool reached = true;  // false: nobody is there, which may change
};

using Ask = std::function<Answer(const Patience&)>;

// As soon as one answered and all before it are known to have nothing, the others
// are called off; problems of those are nobody's. Without data the answer has the
// problems of all, and is reached when all were. Throws Error when the machine
// has no more threads or files.
Answer first_of(const std::vector<Ask>& questions, const Patience& patience);

}  // namespace ros
