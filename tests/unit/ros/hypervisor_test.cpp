#include "runtime/ros/hypervisor.h"

#include <catch2/catch.hpp>

#include "runtime/ros/services.h"
#include "tests/support/config.h"

using namespace ros;

namespace {

// A box by the files that say what it is.
struct Box {
  Box(const std::string& vendor, const std::string& product) {
    write_file(root.path() / "sys/class/dmi/id/sys_vendor", vendor + "\n");
    write_file(root.path() / "sys/class/dmi/id/product_name", product + "\n");
  }
  void add_virtio(const std::string& id) {
    write_file(root.path() / "sys/bus/virtio/devices" / ("virtio" + id) / "device", id + "\n");
  }
  // Names of its services, when `settings` are added below `rancher`.
  std::vector<std::string> services(const std::string& settings = "") {
    problems.clear();
    const Config config = test::config_of(
        "rancher:\n  services:\n"
        "    open-vm-tools: {labels: {io.rancher.os.scope: system}}\n"
        "    hyperv-vm-tools: {labels: {io.rancher.os.scope: system}}\n"
        "    hyperv-vss: {labels: {io.rancher.os.scope: system}}\n"
        "    qemu-guest-agent: {labels: {io.rancher.os.scope: system}}\n"
        "    plain: {labels: {io.rancher.os.scope: system}}\n" +
        settings);
    std::vector<std::string> names;
    for (const auto& service : services_of(config, problems, root.path()))
      if (service.name != "plain") names.push_back(service.name);
    return names;
  }
  TempDir root;
  std::vector<std::string> problems;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("hypervisors: the firmware tells them, else the processor") {
  CHECK(hypervisor_of("VMware, Inc.", "VMware7,1", "") == Hypervisor::vmware);
  CHECK(hypervisor_of("Microsoft Corporation", "Virtual Machine", "") == Hypervisor::hyperv);
  CHECK(hypervisor_of("Microsoft Corporation", "Surface Pro", "") == Hypervisor::none);
  CHECK(hypervisor_of("QEMU", "Standard PC", "Microsoft Hv") == Hypervisor::kvm);
  CHECK(hypervisor_of("Alibaba Cloud", "ECS", std::string{"KVMKVMKVM\0\0\0", 12}) ==
        Hypervisor::kvm);
  CHECK(hypervisor_of("Amazon EC2", "t2", "XenVMMXenVMM") == Hypervisor::none);
  CHECK(hypervisor_of("", "", "VMwareVMware") == Hypervisor::vmware);
  CHECK(hypervisor_of("", "", "Microsoft Hv") == Hypervisor::hyperv);
  CHECK(hypervisor_of("Dell Inc.", "PowerEdge", "") == Hypervisor::none);
}

TEST_CASE("hypervisors: the agent of the one that is found runs, and no other") {
  CHECK(Box{"VMware, Inc.", "VMware7,1"}.services() == Names{"open-vm-tools"});
  CHECK(Box{"Microsoft Corporation", "Virtual Machine"}.services() ==
        Names{"hyperv-vm-tools", "hyperv-vss"});
}

TEST_CASE("hypervisors: QEMU's agent needs the device that it speaks through") {
  Box box{"QEMU", "Standard PC"};
  box.add_virtio("0x0001");
  CHECK(box.services().empty());
  box.add_virtio("0x0003");
  CHECK(box.services() == Names{"qemu-guest-agent"});
}

TEST_CASE("hypervisors: the configuration beats what is found") {
  Box box{"VMware, Inc.", "VMware7,1"};
  CHECK(box.services("  hypervisor_service: false\n").empty());
  CHECK(box.services("  services_include: {open-vm-tools: false}\n").empty());
  CHECK(box.services("  services_include: {qemu-guest-agent: true}\n") ==
        Names{"open-vm-tools", "qemu-guest-agent"});
  CHECK(box.services("  hypervisor_service: false\n  services_include: {open-vm-tools: true}\n") ==
        Names{"open-vm-tools"});
  CHECK(box.problems.empty());
}

TEST_CASE("hypervisors: one whose image comes out of a catalogue is switched like any other") {
  const Box box{"QEMU", "Standard PC"};
  std::vector<std::string> problems;
  const auto services = [&](const std::string& settings) {
    return services_of(
        test::config_of("rancher:\n  services: {open-vm-tools: {image: ros/open-vm-tools}}\n" +
                        settings),
        problems, box.root.path());
  };
  CHECK(services("").size() == 1);
  CHECK(services("  services_include: {open-vm-tools: false}\n").empty());
}
