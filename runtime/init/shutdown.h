// The end of the system: containers, engines, processes, mounts, the machine.
#pragma once

#include <string>
#include <vector>

#include "runtime/init/engine_log.h"
#include "runtime/init/supervisor.h"

namespace ros {

struct MountPoint {
  std::string path;
  bool remote = false;  // its server may be gone
  bool operator==(const MountPoint&) const = default;
};
// Those of a mountinfo (proc(5)) that hold or hide something on a disk or a server, in
// the order in which they can be taken away. Escapes ("\040") are resolved.
std::vector<MountPoint> mounts_to_undo(std::string_view mountinfo);

// Never returns. `seconds` is rancher.shutdown_timeout: however badly something
// hangs, the machine goes down when it has passed, and ten more for a last sync(2).
[[noreturn]] void shut_down(Ending ending, Supervisor& supervisor, EngineLog& logs, double seconds);

// Ends every process and unmounts; for a system without a Supervisor. Never returns.
[[noreturn]] void end_without_services(Ending ending) noexcept;

// Syncs, for ten seconds at most, and goes down at once.
[[noreturn]] void end_machine(Ending ending);

}  // namespace ros
