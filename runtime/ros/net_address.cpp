#include "runtime/ros/net_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace ros {

bool NetAddress::covers(const NetAddress& other) const {
  if (v6 != other.v6 || bits < 0) return false;
  for (int bit = 0; bit < bits; ++bit) {
    const auto byte = static_cast<std::size_t>(bit / 8);
    if (((bytes[byte] ^ other.bytes[byte]) >> (7 - bit % 8)) & 1) return false;
  }
  return true;
}

std::string address_bytes(std::string_view text) {
  // inet_pton(3) would end at a NUL, and what follows it would be taken along.
  if (text.find('\0') != std::string_view::npos) return {};
  const std::string terminated{text};
  std::string bytes(16, '\0');
  if (::inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) return bytes.substr(0, 4);
  if (::inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return bytes;
  return {};
}

std::optional<NetAddress> parse_address(const std::string& text) {
  const auto slash = text.find('/');
  const std::string bytes = address_bytes(std::string_view{text}.substr(0, slash));
  if (bytes.empty()) return std::nullopt;
  NetAddress address;
  address.v6 = bytes.size() == address.bytes.size();
  std::ranges::copy(bytes, address.bytes.begin());
  if (slash == std::string::npos) return address;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data() + slash + 1, end, address.bits);
  if (code != std::errc{} || stop != end || address.bits < 0 ||
      address.bits > (address.v6 ? 128 : 32)) {
    return std::nullopt;
  }
  return address;
}

}  // namespace ros
