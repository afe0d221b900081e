// Work that the kernel may never be done with: sync(2) and umount(2) wait as long as it takes for a
// disk that does not answer or a server that is gone.
#pragma once

#include <functional>

namespace ros {

inline constexpr double kInTime = 10;  // seconds

// Does it in a thread. Was it done within kInTime? If not, it goes on by itself.
bool in_time(std::function<void()> work) noexcept;

}  // namespace ros
