// Child processes of PID 1.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace ros {

// Sets init's own PATH, in which programs are found; every child has the same.
void set_path();

struct Command {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH
  int input = -1;                 // becomes standard input; -1: /dev/null
  int output = -1;                // becomes standard output and error; -1: /dev/null
  int listen = -1;  // a listening socket, handed over by systemd's protocol (sd_listen_fds(3))
  std::vector<std::string> environment = {};  // "NAME=value" beside PATH, HOME and TERM
  std::string tty = {};  // becomes the controlling terminal and standard input, output and error
  int oom_score = 0;     // oom_score_adj of proc(5)
};

// Starts it with default signals, an empty mask and high limits, in a session of
// its own. Throws Error when there is no process to be had; a program that cannot
// be executed ends with status 127.
pid_t spawn(const Command& command);

// Waits for the end; the exit status, or 128 + signal. For use before Supervisor
// collects children.
int wait_for(pid_t pid);
int run(const std::vector<std::string>& argv, int output = -1);
// With `input` (less than a pipe's 64 KiB) on standard input.
int run_with_input(const std::vector<std::string>& argv, std::string_view input);

int exit_status(int wait_status) noexcept;

}  // namespace ros
