// A clock that lost its battery starts in 1970, when no certificate is valid yet.
#pragma once

#include "runtime/base/file.h"

namespace ros {

// Sets the clock to the time of change of `witness` (a file of the image, a log of
// the last boot), should it be before that. Absent: nothing happens. Never throws.
void move_clock_past(const fs::path& witness) noexcept;

}  // namespace ros
