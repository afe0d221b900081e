// The kernel command line: the one parser, for init and ros.
//
// Parameters are separated by blanks. Quotes ("…" or '…') protect blanks, and so
// do the brackets of a list that begins right after the "=", however the kernel
// takes it apart: "rancher.state.autoformat=[/dev/sda, /dev/vda]" is one. \" and
// \' are the characters themselves. A quote or bracket that is never closed
// protects nothing, so that one mistake does not swallow the rest of the line.
//
// What follows " -- " is for init alone (Linux, admin-guide/kernel-parameters.rst)
// and counts as well. Nothing here throws, whatever the line holds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ros {

// What `ros early-config` found for init, as a command line has it.
inline constexpr const char* kEarlyConfig = "/run/ros/early-config";

struct CmdlineParameter {
  std::string name;
  std::string value;      // as written, without quotes around the whole and without escapes
  bool quoted = false;    // there were such quotes
  bool assigned = false;  // there is a "="
  bool operator==(const CmdlineParameter&) const = default;
};

class Cmdline {
 public:
  Cmdline() = default;
  explicit Cmdline(std::string_view line);

  const std::vector<CmdlineParameter>& parameters() const noexcept { return parameters_; }
  // All that follows " -- ", as it was written.
  const std::string& extra() const noexcept { return extra_; }

  // Of several parameters of one name the last counts.
  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::string get(std::string_view name, std::string_view otherwise = {}) const;
  bool flag(std::string_view name) const;  // true, yes, on, 1 and the bare name
  // The elements of "[a, b]" or of "a,b", without blanks and quotes around them.
  std::vector<std::string> list(std::string_view name) const;
  long number(std::string_view name, long otherwise) const;  // decimal
  // The values of every parameter of that name: console=… may come several times.
  std::vector<std::string> all(std::string_view name) const;

 private:
  const CmdlineParameter* find(std::string_view name) const;
  std::vector<CmdlineParameter> parameters_;
  std::string extra_;
};

// Is the text of a switch on ("true", "yes", "on", "1")?
bool is_on(std::string_view text);

}  // namespace ros
