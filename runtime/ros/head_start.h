// User Docker's head start.
//
// Two dockerds in a row are most of a boot, and the second needs nothing of the first.
// So `ros sysinit` starts user Docker beside system Docker, as a process of its own.
// When system Docker serves, it makes the container `docker` as it makes every other; that
// container's main process finds the daemon there and takes it over: it moves it into
// the container's cgroup, gives it the container's limits, carries its output to the
// container's log and signals to it, and ends with it. From then on the daemon is the
// container's, as if started by it; a container that finds none starts its own.
//
// This works because the container shares every namespace with the host (user_docker.cpp
// says why): nothing but cgroup, limits and output makes the difference.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/ros/services.h"

namespace ros {

// Is user Docker configured as the image's own service, so that it may be started ahead?
bool may_start_ahead(const std::vector<Service>& services);

// Starts `ros user-docker --ahead` unless a daemon runs already. Throws Error.
void start_ahead();
// For that process: returns in a new process, whose output waits for the container;
// the calling one exits.
void detach_ahead();

struct AheadDaemon {
  pid_t pid = 0;
  Fd process;  // pidfd_open(2)
};
std::optional<AheadDaemon> find_ahead();
// Takes the daemon over and stays until it ends. Returns the exit status of the
// container: 0 after a signal that asked it to end, otherwise 1. Throws Error.
int take_over(const AheadDaemon& daemon);

}  // namespace ros
