// The story of a boot, from the first mount to the engines.
#pragma once

#include "runtime/init/engine_log.h"
#include "runtime/init/supervisor.h"

namespace ros {

// Everything up to the point where containerd, system Docker and `ros sysinit`
// run; then only the supervisor is needed. Throws Error when a required stage fails.
void boot(Supervisor& supervisor, EngineLog& logs);

}  // namespace ros
