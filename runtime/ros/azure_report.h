// Telling Azure that the machine is up. Without it the portal says "creating" for
// as long as it is patient, and then that provisioning failed (the WireServer
// protocol, as waagent and "no agent" in Azure's documentation describe it).
#pragma once

#include <string>

#include "runtime/base/patience.h"

namespace ros {

// Link-local for Azure's machines only, and the same in each of its regions.
inline constexpr const char* kWireServer = "http://168.63.129.16";

// Throws Error when it cannot be done.
void report_ready_to_azure(const Patience& patience, const std::string& server = kWireServer);

}  // namespace ros
