// Definitions of services in files of their own, in the words of Compose: a map of
// services (version 1), or one below `services` (versions 2 and 3).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/config/value.h"

namespace ros {

// What docker takes as the name of a container; never a path.
bool is_service_name(std::string_view name);

// How an image is made: a folder, or its Dockerfile and what that is told.
struct Build {
  std::string context;     // a folder; as it was written
  std::string dockerfile;  // "" is the one of the folder
  std::vector<std::pair<std::string, std::string>> arguments;
  bool wanted() const noexcept { return !context.empty(); }
};

// The value of a service's `build`. What is wrong with it is added to `problems`.
Build read_build(const Value& value, std::vector<Error>& problems);

// A map of service names to definitions, at least one. Throws Error (kind input) with every
// mistake and its place.
Value parse_compose(std::string_view text, const std::string& file);

}  // namespace ros
