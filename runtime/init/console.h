// Lines that a person at the machine must see: they go to every console that
// the kernel uses, whatever its log level, and to the log.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/init/paths.h"

namespace ros {

// Device names ("tty1", "ttyS0"); "console" when the kernel does not tell.
std::vector<std::string> active_consoles(const Paths& paths = {});

void announce(std::string_view line) noexcept;        // "rancheros: LINE"
void announce_error(std::string_view line) noexcept;  // "rancheros: error: LINE"

}  // namespace ros
