#include "runtime/ros/hypervisor.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <array>
#include <cstring>

#include "runtime/base/text.h"

namespace ros {
namespace {

constexpr std::array<Agent, 4> kAgents{{{"open-vm-tools", Hypervisor::vmware},
                                        {"hyperv-vm-tools", Hypervisor::hyperv},
                                        {"hyperv-vss", Hypervisor::hyperv},
                                        {"qemu-guest-agent", Hypervisor::kvm}}};

// Device 3 of the virtio specification, "console". Without it nobody can ask the agent anything.
bool has_virtio_serial(const fs::path& root) {
  boost::system::error_code ignored;
  for (fs::directory_iterator it{root / "sys/bus/virtio/devices", ignored}, end; it != end;
       it.increment(ignored)) {
    if (trim(try_read_file(it->path() / "device").value_or("")) == "0x0003") return true;
  }
  return false;
}

}  // namespace

// Leaf 0x40000000, which hypervisors have when bit 31 of leaf 1 says so.
std::string hypervisor_signature() {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx >> 31)) return {};
  __cpuid(0x40000000, eax, ebx, ecx, edx);
  char name[12];
  std::memcpy(name, &ebx, 4);
  std::memcpy(name + 4, &ecx, 4);
  std::memcpy(name + 8, &edx, 4);
  return {name, sizeof name};
#else
  return {};
#endif
}

Hypervisor hypervisor_of(const std::string& vendor, const std::string& product,
                         const std::string& signature) {
  if (vendor.starts_with("VMware")) return Hypervisor::vmware;
  if (vendor.starts_with("QEMU")) return Hypervisor::kvm;
  if (vendor.starts_with("Microsoft Corporation") && product.starts_with("Virtual Machine"))
    return Hypervisor::hyperv;
  if (signature == "VMwareVMware") return Hypervisor::vmware;
  if (signature == "Microsoft Hv") return Hypervisor::hyperv;
  // QEMU without KVM has the same agent.
  if (signature.starts_with("KVMKVMKVM") || signature == "TCGTCGTCGTCG") return Hypervisor::kvm;
  return Hypervisor::none;
}

Hypervisor find_hypervisor(const fs::path& root) {
  const auto firmware = [&](const char* file) {
    return try_read_file(root / "sys/class/dmi/id" / file).value_or("");
  };
  return hypervisor_of(firmware("sys_vendor"), firmware("product_name"), hypervisor_signature());
}

bool is_wanted(const Agent& agent, const fs::path& root) {
  return find_hypervisor(root) == agent.hypervisor &&
         (agent.hypervisor != Hypervisor::kvm || has_virtio_serial(root));
}

const Agent* find_agent(const std::string& service) {
  const auto found = std::ranges::find(kAgents, service, &Agent::service);
  return found == kAgents.end() ? nullptr : &*found;
}

}  // namespace ros
