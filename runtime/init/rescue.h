// The recovery console: what is left when a required stage fails.
#pragma once

#include <string_view>

namespace ros {

// A root shell on every console; the end of any of them reboots. With the layers at hand
// `ros recovery` gives it a network and sshd, and logins say `reason`. Never returns.
// Asks for no password: whoever is there can choose it in the boot menu as well.
[[noreturn]] void recovery_console(std::string_view reason) noexcept;

// PID 1 must not end, or the kernel panics. Should init crash, it begins anew, ends what
// ran, and is a recovery console (main's argument kRescueArgument).
inline constexpr const char* kRescueArgument = "--rescue";
void catch_crashes() noexcept;

}  // namespace ros
