// Disk images for the tests of init, made by the programs that people use.
#pragma once

#include <sys/mman.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/init/child.h"

namespace ros {

struct Output {
  int status;
  std::string text;  // standard output and error
};

inline Output output_of(const std::vector<std::string>& argv) {
  set_path();  // /usr/sbin as well, whoever runs the tests
  const Fd file{::memfd_create("output", MFD_CLOEXEC)};
  const int status = run(argv, file.get());
  ::lseek(file.get(), 0, SEEK_SET);
  return {status, read_to_end(file.get())};
}

// False when the program is not there; the test is then skipped.
inline bool make(const std::vector<std::string>& argv) {
  const auto output = output_of(argv);
  if (output.status == 127) {
    WARN("SKIPPED: no " << argv[0]);
    return false;
  }
  INFO(output.text);
  REQUIRE(output.status == 0);
  return true;
}

inline void make_zeros(const fs::path& file, std::uint64_t size) {
  write_file(file, "");
  fs::resize_file(file, size);
}

// Divides the file as a script of sfdisk(8) says.
inline bool divide(const fs::path& file, const std::string& script) {
  write_file(file.string() + ".script", script);
  if (!make({"sfdisk", "--version"})) return false;
  return make({"sh", "-c", "sfdisk -q \"$0\" < \"$0.script\"", file.string()});
}

}  // namespace ros
