#include "builder/pack/bytes.h"

#include "runtime/base/error.h"

namespace rosbuild {

std::string guid_bytes(const std::string& text) {
  static constexpr std::size_t kOrder[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  std::string plain;
  std::string digits;
  for (const char c : text)
    if (c != '-') digits += c;
  if (digits.size() != 32 || digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos)
    throw ros::Error{"not a GUID: " + text};
  for (std::size_t i = 0; i < 32; i += 2)
    plain += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  std::string bytes;
  for (const std::size_t i : kOrder) bytes += plain[i];
  return bytes;
}

}  // namespace rosbuild
