// The verbs of rosbuild. Each does what one request asks, prints its answer on
// standard output and its story on standard error, and returns the exit status.
// They throw ros::Error, or Cancelled after Ctrl-C.
#pragma once

#include "builder/cli.h"

namespace rosbuild {

int build_images(const Request& request);
int update_lock(const Request& request);
int list_platforms(const Request& request);
int lint(const Request& request);
int boot(const Request& request);
int verify(const Request& request);  // 1 when something is wrong
int publish_outputs(const Request& request);

}  // namespace rosbuild
