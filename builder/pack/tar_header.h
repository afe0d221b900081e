// One header block of a tar archive: POSIX' "ustar", and GNU tar's older format
// where an importer asks for it (GNU tar manual, "Basic Tar Format").
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace rosbuild {

inline constexpr std::size_t kTarBlock = 512;

// What fills `size` bytes up to whole units.
inline std::string tar_padding(std::uint64_t size, std::size_t unit = kTarBlock) {
  return std::string((unit - size % unit) % unit, '\0');
}

class TarHeader {
 public:
  TarHeader() : bytes_(kTarBlock, '\0') {}

  void text(std::size_t offset, std::size_t size, std::string_view value) {
    bytes_.replace(offset, std::min(size, value.size()), value.substr(0, size));
  }
  // Takes values below 8^(size - 1).
  void octal(std::size_t offset, std::size_t size, std::uint64_t value) {
    text(offset, size, fmt::format("{:0{}o}", value, size - 1));
  }
  // GNU tar's: octal, or in binary what does not fit into that.
  void number(std::size_t offset, std::size_t size, std::uint64_t value) {
    if (value < 1ULL << 3 * (size - 1)) return octal(offset, size, value);
    for (std::size_t i = 0; i < size; ++i)
      bytes_[offset + size - 1 - i] = i < 8 ? static_cast<char>(value >> 8 * i) : '\0';
    bytes_[offset] = '\x80';
  }
  // The block as it is, and with its checksum.
  const std::string& block() const { return bytes_; }
  std::string finish() {
    text(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : bytes_) sum += static_cast<unsigned char>(c);
    text(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
    return bytes_;
  }

 private:
  std::string bytes_;
};

// The ustar header of a file of ours, at most 8 GiB, with a name of at most 100 characters.
inline TarHeader file_header(std::string_view name, std::uint64_t size) {
  TarHeader header;
  header.text(0, 100, name);
  header.octal(100, 8, 0644);
  header.octal(108, 8, 0);
  header.octal(116, 8, 0);
  header.octal(124, 12, size);
  header.octal(136, 12, 0);  // no time
  header.text(156, 1, "0");
  header.text(257, 8, std::string_view("ustar\00000", 8));
  return header;
}

}  // namespace rosbuild
