// Waiting for files and sockets to appear, by inotify.
#pragma once

#include <functional>
#include <string>

namespace ros {

// Blocks until `done()` holds, asking after every change in `folder`; -1 means
// without limit. False when the time passed.
bool wait_for_change(const std::string& folder, int timeout_ms, const std::function<bool()>& done);

// Blocks until the engine behind `socket` answers a ping.
void wait_for_engine(const std::string& socket);

}  // namespace ros
