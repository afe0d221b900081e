// Fields and sizes of on-disk structures.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rosbuild {

template <class Integer>
void put_le(std::string& bytes, std::size_t offset, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    bytes.at(offset + i) = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
}

template <class Integer>
void put_be(std::string& bytes, std::size_t offset, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    bytes.at(offset + sizeof(Integer) - 1 - i) =
        static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
}

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

inline void put_text(std::string& bytes, std::size_t offset, std::string_view text) {
  bytes.replace(offset, text.size(), text);
}

// The 16 bytes of a GUID in text form as Microsoft's formats and UEFI store it: the
// first three groups little-endian. Throws ros::Error when it is none.
std::string guid_bytes(const std::string& text);

}  // namespace rosbuild
