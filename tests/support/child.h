// A program that runs beside the test: QEMU, a registry, a builder to be killed.
//
// Everything that it writes is collected from the start by a thread, so it never
// blocks on a full pipe. It dies with the test, whatever ends the test, and only
// this process is ever signalled.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "runtime/base/fd.h"

namespace proof {

using std::chrono::seconds;

class Child {
 public:
  // argv[0] is looked up in PATH. `environment`: NAME=VALUE, added to ours.
  explicit Child(const std::vector<std::string>& argv,
                 const std::vector<std::string>& environment = {});
  ~Child();  // KILL, when it still runs
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void type(std::string_view text);  // to its standard input
  void signal(int number);
  bool running();
  // The exit status (128 + signal when killed), or nothing when it still runs after `limit`.
  std::optional<int> wait(seconds limit);

  // All output so far, standard output and error together.
  std::string output() const;
  // Waits until the output is longer than `size`, it ended, or `deadline` has come; returns the
  // output.
  std::string wait_output(std::size_t size, std::chrono::steady_clock::time_point deadline);

 private:
  void read_output();

  pid_t pid_ = -1;
  ros::Fd process_;  // pidfd
  ros::Fd in_;
  ros::Fd out_;
  std::optional<int> status_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string output_;
  bool ended_ = false;  // no more output will come
  std::thread reader_;
};

}  // namespace proof
