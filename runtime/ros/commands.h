// Commands that the owner of the box gives: runcmd, bootcmd, and scripts.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/load.h"

namespace ros {

enum class OnFailure { go_on, stop };

// Runs the commands of the list at `key`, one after the other: a text is for the
// shell, a list is a program and its arguments, an empty list is nothing. Each that
// fails is named on the consoles with its place.
void run_commands(const Config& config, const std::string& key, OnFailure on_failure);

// Runs the file when it is there. Without a #! line, or without the right to be
// executed, it is for the shell. A failure is named on the consoles.
void run_script(const fs::path& file);

}  // namespace ros
