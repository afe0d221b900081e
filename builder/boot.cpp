// The verb boot: a request becomes QEMU's options.
#include "builder/verify/boot.h"

#include "builder/build.h"

namespace rosbuild {
namespace {

BootFirmware firmware_of(Firmware firmware) {
  switch (firmware) {
    case Firmware::bios:
      return BootFirmware::bios;
    case Firmware::uefi:
      return BootFirmware::uefi;
    case Firmware::secure_boot:
      return BootFirmware::secure_boot;
  }
  return BootFirmware::bios;
}

}  // namespace

int boot(const Request& request) {
  BootOptions options;
  options.firmware = firmware_of(request.firmware);
  options.arch = request.arch;
  options.kvm = have_kvm();
  options.memory_mb = request.memory_mb;
  for (const auto& [host, guest] : request.forwards) options.forwards.push_back({host, guest});
  options.arguments = request.qemu_arguments;
  return boot_artifact(options, request.path);
}

}  // namespace rosbuild
