// What bash offers after `ros …<Tab>`. bash starts `ros --complete` itself (complete -C, bash(1)),
// with the line in COMP_LINE and COMP_POINT.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ros {

// The words that may stand where the line ends. `services` gives names of services, and is only
// called where one may stand.
std::vector<std::string> completions(std::string_view line,
                                     const std::function<std::vector<std::string>()>& services);

}  // namespace ros
