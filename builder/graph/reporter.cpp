#include "builder/graph/reporter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <string>
#include <vector>

namespace rosbuild {
namespace {

class PlainReporter : public Reporter {
 public:
  void plan(std::size_t) override {}
  void started(std::string_view) override {}
  void finished(std::string_view step, double seconds, bool cached) override {
    if (!cached && seconds >= 0.5) line(fmt::format("{} ({:.1f} s)", step, seconds));
  }
  void failed(std::string_view step) override { line(fmt::format("{} failed", step)); }
  void note(std::string_view text) override { line(std::string(text)); }

 private:
  void line(const std::string& text) {
    const std::lock_guard guard{mutex_};
    fmt::print(stderr, "{}\n", text);
  }
  std::mutex mutex_;
};

// One line at the bottom: "[3/17] layer base, layer engine".
class TerminalReporter : public Reporter {
 public:
  ~TerminalReporter() override { clear(); }
  void plan(std::size_t steps) override {
    const std::lock_guard guard{mutex_};
    total_ = steps;
  }
  void started(std::string_view step) override {
    const std::lock_guard guard{mutex_};
    running_.emplace_back(step);
    draw();
  }
  void finished(std::string_view step, double seconds, bool cached) override {
    const std::lock_guard guard{mutex_};
    std::erase(running_, step);
    ++done_;
    clear();
    if (!cached && seconds >= 0.5) fmt::print(stderr, "  {} ({:.1f} s)\n", step, seconds);
    draw();
  }
  void failed(std::string_view step) override {
    const std::lock_guard guard{mutex_};
    std::erase(running_, step);
    clear();
    fmt::print(stderr, "  {} failed\n", step);
  }
  void note(std::string_view text) override {
    const std::lock_guard guard{mutex_};
    clear();
    fmt::print(stderr, "{}\n", text);
    draw();
  }

 private:
  void clear() { fmt::print(stderr, "\r\033[K"); }
  void draw() {
    std::string line = fmt::format("[{}/{}] {}", done_, total_, fmt::join(running_, ", "));
    constexpr std::size_t kWidth = 78;
    if (line.size() > kWidth) line = line.substr(0, kWidth - 1) + "…";
    fmt::print(stderr, "\r\033[K{}", line);
    std::fflush(stderr);
  }
  std::mutex mutex_;
  std::size_t total_ = 0;
  std::size_t done_ = 0;
  std::vector<std::string> running_;
};

}  // namespace

std::unique_ptr<Reporter> make_reporter() {
  if (::isatty(STDERR_FILENO)) return std::make_unique<TerminalReporter>();
  return std::make_unique<PlainReporter>();
}

}  // namespace rosbuild
