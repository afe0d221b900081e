// Which hypervisor this machine runs on, and which system services are agents that only one of
// them has a use for.
#pragma once

#include <string>

#include "runtime/config/load.h"

namespace ros {

enum class Hypervisor { none, vmware, hyperv, kvm };

// What its processor calls the machine's hypervisor (CPUID), "" on others.
std::string hypervisor_signature();

// By vendor and product of its firmware (DMI), else by the signature: QEMU can lend its processor
// another hypervisor's, and clouds put their own names into the firmware.
Hypervisor hypervisor_of(const std::string& vendor, const std::string& product,
                         const std::string& signature);
Hypervisor find_hypervisor(const fs::path& root = "/");

struct Agent {
  const char* service;
  Hypervisor hypervisor;
};
// nullptr for a service that is no agent.
const Agent* find_agent(const std::string& service);
// Its hypervisor is there, and, of QEMU's, the serial device it speaks through.
bool is_wanted(const Agent& agent, const fs::path& root = "/");

}  // namespace ros
