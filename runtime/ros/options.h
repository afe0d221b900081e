// Taking options out of a verb's arguments.
#pragma once

#include <limits>
#include <string>
#include <string_view>

#include "runtime/ros/verbs.h"

namespace ros {

// Removes "-x VALUE", "--long VALUE" or "--long=VALUE"; "" when not given. Throws Error (kind
// usage) when the value is missing.
std::string take_option(Arguments& arguments, std::string_view brief, std::string_view name);
// The same for a whole number of at most `most`, not negative; `otherwise` when not given.
int take_number(Arguments& arguments, std::string_view brief, std::string_view name, int otherwise,
                int most = std::numeric_limits<int>::max());
// Removes the flag; was it there?
bool take_flag(Arguments& arguments, std::string_view brief, std::string_view name);
// Throws Error (kind usage) when there are fewer or more left, or one of them is an option.
void expect_words(const Arguments& arguments, std::size_t least, std::size_t most,
                  const std::string& verb);

// Asks on the terminal; true only for "y" or "yes". Standard input that ends says no.
bool confirm(const std::string& question);

}  // namespace ros
