// What the tests of the writers share: their output as bytes, fields out of it,
// and programs of the host as second readers.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <string>

#include "builder/os/process.h"
#include "builder/os/tree.h"

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

// The program's output, or nothing when it is not installed; it must succeed.
inline std::string ask(const Command& command) {
  if (!find_program(command.argv[0])) {
    WARN("no second opinion: " << command.argv[0] << " is not installed");
    return {};
  }
  const Exit exit = try_run(command);
  INFO(command.argv[0] << ":\n" << exit.output);
  CHECK(exit.status == 0);
  return exit.output;
}

}  // namespace rosbuild
