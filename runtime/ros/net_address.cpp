#include "runtime/ros/net_address.h"

#include <arpa/inet.h>

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

std::optional<NetAddress> parse_address(const std::string& text) {
  NetAddress address;
  const auto slash = text.find('/');
  const std::string host = text.substr(0, slash);
  address.v6 = host.find(':') != std::string::npos;
  if (::inet_pton(address.v6 ? AF_INET6 : AF_INET, host.c_str(), address.bytes.data()) != 1) {
    return std::nullopt;
  }
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
