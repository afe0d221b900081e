// What the tests of the writers share: their output as bytes, fields out of it,
// and programs of the host as second readers.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

#include "builder/os/process.h"
#include "builder/os/tree.h"
#include "builder/pack/stream.h"
#include "runtime/base/digest.h"

namespace rosbuild {

inline std::uint64_t little_endian(const std::string& bytes, std::size_t offset, int size) {
  std::uint64_t value = 0;
  for (int i = size - 1; i >= 0; --i)
    value = value << 8 | static_cast<unsigned char>(bytes.at(offset + static_cast<std::size_t>(i)));
  return value;
}

// Everything that a writer gives to its sink.
template <class Write>
std::string written(const Tree& tree, Write&& write) {
  std::string bytes;
  write(tree, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

// A raw disk with data in its first sector, across the end of a block of 64 KiB, from
// 70 MiB on what cannot be deflated and what can, written zeros, and the last bytes.
inline fs::path raw_disk(const fs::path& folder, std::uint64_t size) {
  constexpr std::uint64_t kMiB = 1 << 20;
  const fs::path raw = folder / "raw";
  const ros::Fd fd = create_sparse(raw.string(), size);
  std::string digits, noise;
  for (int i = 0; digits.size() < 800'000; ++i) digits += ros::sha256(std::to_string(i));
  for (std::size_t i = 0; i < 400'000; i += 2)
    noise += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  write_at(fd.get(), 0, "first");
  write_at(fd.get(), 65536 - 3, "across");
  write_at(fd.get(), 70 * kMiB + 12345, noise);
  write_at(fd.get(), 71 * kMiB, digits);
  write_at(fd.get(), 72 * kMiB + 100, noise);
  write_at(fd.get(), 73 * kMiB, digits);
  write_at(fd.get(), 80 * kMiB, std::string(65536, '\0'));
  write_at(fd.get(), size - 4, "last");
  return raw;
}

// The program's output, or nothing when it is not installed, and the test counts as skipped; it
// must succeed.
inline std::string ask(const Command& command) {
  if (!find_program(command.argv[0])) {
    WARN("SKIPPED: no second opinion: " << command.argv[0] << " is not installed");
    return {};
  }
  const Exit exit = try_run(command);
  INFO(command.argv[0] << ":\n" << exit.output);
  CHECK(exit.status == 0);
  return exit.output;
}

}  // namespace rosbuild
