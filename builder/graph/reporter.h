// What the work tells the world. One implementation for terminals (a status
// line), one for pipes (plain lines).
#pragma once

#include <memory>
#include <string_view>

namespace rosbuild {

class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void plan(std::size_t steps) = 0;
  virtual void started(std::string_view step) = 0;
  virtual void finished(std::string_view step, double seconds, bool cached) = 0;
  virtual void failed(std::string_view step) = 0;
  virtual void note(std::string_view line) = 0;
};

// Chooses by isatty(stderr). Thread-safe.
std::unique_ptr<Reporter> make_reporter();

}  // namespace rosbuild
