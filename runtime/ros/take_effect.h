// What makes a configuration count in the running box, in the boot and when it comes later.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/load.h"
#include "runtime/ros/datasource.h"

namespace ros {

// Of image, OEM partition and command line, init has run them before the state was there.
void run_bootcmd_of_users(const Config& config);

// For init, which knows no YAML.
void note_shutdown_timeout(const Config& config);

// File systems of servers: one may take its time, so that this is for a thread. Announces what is
// wrong.
void mount_network(const Config& config);

// Swap and growth of what the configuration names: nobody waits for it, so that this is for a
// thread. Announces what is wrong.
void prepare_disks(const Config& config);

// Keeps what came, and starts anew what has already used what was there before. Throws Error.
void apply_user_data(const UserData& data, const FetchUrl& fetch,
                     std::vector<std::string>& problems);

}  // namespace ros
