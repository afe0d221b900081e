// The only door to other programs, and the only user of Boost.Process (v2).
//
// A child gets /dev/null or `input` as standard input, a rebuilt environment
// (PATH, LC_ALL=C.UTF-8, TZ=UTC, SOURCE_DATE_EPOCH when given in `env`), and no
// other descriptor. A stop request ends it with TERM, then KILL.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

struct Command {
  std::vector<std::string> argv;           // argv[0] with a slash, or looked up in PATH
  std::map<std::string, std::string> env;  // added to the rebuilt environment
  fs::path cwd;                            // empty: the current folder
  std::string input;                       // standard input; /dev/null when empty
  // When set, called with a descriptor to write standard input to, in a
  // thread of its own, while the child runs; used to stream tar archives.
  std::function<void(int fd)> feed;
  // It may ask the person at the terminal, which only the group in the foreground can: it stays in
  // ours. Others lead a group of their own.
  bool asks = false;
};

// Thrown when a stop request ended the work. Not an Error: nothing went wrong.
struct Cancelled {};

// Runs to the end. Throws ros::Error (kind tool) on anything but exit 0, with
// the command quoted for pasting and the last 20 lines of its output.
void run(const Command& command, std::stop_token stop = {});
// The same; returns standard output.
std::string capture(const Command& command, std::stop_token stop = {});
struct Exit {
  int status = 0;      // exit status, or 128 + signal
  std::string output;  // standard output and error, interleaved
};
// For callers to whom the status is an answer. Throws only when the program cannot be started.
Exit try_run(const Command& command, std::stop_token stop = {});

// Full path of a program in PATH, /usr/sbin and /sbin included.
std::optional<fs::path> find_program(const std::string& name);

}  // namespace rosbuild
