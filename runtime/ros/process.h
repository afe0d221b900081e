// Starting programs of the base layer, without a shell in between.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/patience.h"

namespace ros {

struct SpawnOptions {
  std::vector<std::string> environment;  // NAME=VALUE, added to our own
  int input = -1;                        // becomes stdin; -1: /dev/null
  int output = -1;                       // becomes stdout; -1: ours
  bool errors_too = false;               // stderr goes where stdout does
  bool new_session = false;
};

// Throws Error when the program cannot be started.
pid_t spawn(const std::vector<std::string>& argv, const SpawnOptions& options = {});
// Waits; the exit status, or 128 + signal.
int wait_for(pid_t pid);
int run(const std::vector<std::string>& argv, const SpawnOptions& options = {});
// Runs with `input` on stdin and returns stdout; throws Error on a bad exit.
std::string capture(const std::vector<std::string>& argv, std::string_view input = {});

struct Captured {
  int status = 0;  // as of wait_for
  std::string output;
};
// The same for a program that may say too much or never end: it is killed, and
// Error thrown, beyond `limit` bytes or when the patience ends. Its stdin and stdout are ours.
Captured capture_bounded(const std::vector<std::string>& argv, std::string_view input,
                         std::size_t limit, const Patience& patience = {},
                         SpawnOptions options = {});

// Runs a program that says on stderr what is wrong: its output is both. `run_program` throws Error
// with that on a bad exit.
Captured try_program(const std::vector<std::string>& argv, std::string_view input = {});
std::string run_program(const std::vector<std::string>& argv, std::string_view input = {});

// Replaces this process; throws Error when it cannot.
[[noreturn]] void exec(const std::vector<std::string>& argv,
                       const std::vector<std::string>& environment = {});

// Runs `argvs` until SIGTERM or SIGINT, each started again when it ends (at most
// once a second); then ends them all. Adopted children are reaped on the way.
// Returns 0, the exit status to use.
int keep_running(const std::vector<std::vector<std::string>>& argvs);

}  // namespace ros
