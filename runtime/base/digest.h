// SHA-256 (FIPS 180-4), computed by nettle.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/base/file.h"

namespace ros {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view bytes);
  std::string finish();  // 64 lower-case hex digits; the object starts anew

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(std::string_view bytes);
std::string sha256_fd(int fd);  // from where it stands to its end; throws Error when unreadable
std::string sha256_file(const fs::path& path);  // throws Error when unreadable

// An RFC 4122 version-5-style UUID in text form derived from SHA-256(seed), so
// that every identifier inside an artifact follows from its content.
std::string uuid_from(std::string_view seed);

}  // namespace ros
