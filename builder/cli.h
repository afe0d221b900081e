// The command line: argv becomes a Request. The only user of CLI11.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

enum class Verb { image, lock, list, lint, boot, verify, publish };
enum class Compression { fast, release };
enum class Firmware { bios, uefi, secure_boot };

struct PortForward {
  std::uint16_t host = 0;
  std::uint16_t guest = 0;
};

struct Request {
  Verb verb = Verb::list;
  fs::path recipes;    // holds recipes/ and platforms/; empty for `boot` and `verify`
  std::string mirror;  // --mirror, or empty (see find_mirror)

  fs::path output = "out";  // image, publish

  // image
  std::vector<std::string> platforms;  // as given; "all" means each
  std::string platform_arch;           // that "all" is limited to; empty: none
  unsigned jobs = 1;                   // at least 1
  Compression compression = Compression::release;
  std::vector<std::string> only;  // artifact names; empty: all
  std::uint64_t cache_limit = 0;  // bytes

  // lock
  bool update = false;    // resolve anew although the lock fits
  std::string lock_arch;  // empty: every one that there is a platform for

  fs::path path;  // boot, verify

  std::string signing_key;  // publish; empty: nothing is signed

  // boot
  std::string arch = "amd64";
  unsigned memory_mb = 1024;
  Firmware firmware = Firmware::bios;
  std::vector<PortForward> forwards;
  std::vector<std::string> qemu_arguments;  // after "--"
};

// A request, or the text that --help or --version asked for (for standard
// output). Throws ros::Error (kind usage) for anything else.
std::variant<Request, std::string> parse_command_line(const std::vector<std::string>& arguments);

}  // namespace rosbuild
