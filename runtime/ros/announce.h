// What people at the machine see: lines on every console, and the addresses.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ros {

// The consoles of the kernel (/sys/class/tty/console/active), e.g. tty1, ttyS0.
std::vector<std::string> active_consoles();

// Writes the line to every console and to the kernel log. Never throws, never
// blocks on a console whose other end does not read.
void announce(std::string_view line) noexcept;
// "rancheros: error: …"
void announce_error(std::string_view line) noexcept;

struct Address {
  std::string interface, address;
  bool operator==(const Address&) const = default;
};

// Global addresses of interfaces that are up, without those of is_inner_link (net_links.h).
std::vector<Address> addresses();

// Calls `changed` after each change of an address until it returns false, or
// until `timeout_ms` (negative: none) passes without one; blocks on rtnetlink.
void watch_addresses(int timeout_ms, const std::function<bool()>& changed);

}  // namespace ros
