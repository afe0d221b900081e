// IPv4 and IPv6 addresses as text, and whether they are well-formed.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace ros {

struct NetAddress {
  bool v6 = false;
  std::array<unsigned char, 16> bytes{};
  int bits = -1;  // prefix length; -1: none was written

  bool covers(const NetAddress& other) const;  // `other` is in this one's subnet
};

// The 4 or 16 bytes of an address; none, when `text` is anything else.
std::string address_bytes(std::string_view text);
// ADDRESS or ADDRESS/BITS.
std::optional<NetAddress> parse_address(const std::string& text);

}  // namespace ros
