// Little-endian fields of on-disk structures.
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

inline void put_text(std::string& bytes, std::size_t offset, std::string_view text) {
  bytes.replace(offset, text.size(), text);
}

}  // namespace rosbuild
