// Reading variables of a virtual machine from VMware: the "backdoor" I/O port as
// open-vm-tools documents it (lib/include/backdoor_def.h, lib/message/message.c),
// low bandwidth, which every version has and the kernel needs no module for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace ros {

// What the hypervisor takes out of the processor's registers, and puts into them.
struct PortRegisters {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0, esi = 0, edi = 0;
};
using VmwarePort = std::function<void(PortRegisters&)>;

class VmwareRpc {
 public:
  explicit VmwareRpc(VmwarePort port) : port_(std::move(port)) {}

  // Nothing when there is no such variable, or the hypervisor refuses.
  std::optional<std::string> get(const std::string& variable) const;

 private:
  VmwarePort port_;
};

// Nothing on any other machine, or when the administrator closed the port.
std::optional<VmwareRpc> open_vmware_rpc();

}  // namespace ros
