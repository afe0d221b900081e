// A passphrase typed at any console of the machine.
#pragma once

#include <string>
#include <string_view>

namespace ros {

// Shows `prompt` on every console and waits, without a limit, until a line is typed
// on one of them; what is typed is not shown. "" for an empty line, or when no
// console can be read.
std::string ask_passphrase(std::string_view prompt);

}  // namespace ros
