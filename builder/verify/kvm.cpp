// Whether KVM works is only known once it has run something: where machines are
// nested, /dev/kvm may open, even make a machine, and then refuse to run it.
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "builder/verify/boot.h"

namespace rosbuild {
namespace {

using ros::Fd;

class Mapping {
 public:
  Mapping(std::size_t size, int flags, int fd)
      : size_(size), start_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0)) {}
  ~Mapping() {
    if (*this) ::munmap(start_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  explicit operator bool() const { return start_ != MAP_FAILED; }
  template <class Type>
  Type* as() const { return static_cast<Type*>(start_); }

 private:
  std::size_t size_;
  void* start_;
};

// Runs a machine of one page that holds one instruction.
bool runs_a_machine() {
  constexpr unsigned char kHalt = 0xf4;
  constexpr std::size_t kPage = 4096;
  const auto done = [](const Fd& fd, unsigned long request, auto argument) {
    return ::ioctl(fd.get(), request, argument) >= 0;
  };
  const Fd kvm{::open("/dev/kvm", O_RDWR | O_CLOEXEC)};
  if (!kvm || ::ioctl(kvm.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION) return false;
  const int state_size = ::ioctl(kvm.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
  const Fd machine{::ioctl(kvm.get(), KVM_CREATE_VM, 0)};
  if (!machine || state_size < static_cast<int>(sizeof(kvm_run))) return false;

  const Mapping memory(kPage, MAP_SHARED | MAP_ANONYMOUS, -1);
  if (!memory) return false;
  *memory.as<unsigned char>() = kHalt;
  kvm_userspace_memory_region region{};
  region.guest_phys_addr = kPage;
  region.memory_size = kPage;
  region.userspace_addr = reinterpret_cast<std::uintptr_t>(memory.as<void>());
  if (!done(machine, KVM_SET_USER_MEMORY_REGION, &region)) return false;

  const Fd processor{::ioctl(machine.get(), KVM_CREATE_VCPU, 0)};
  if (!processor) return false;
  const Mapping state(static_cast<std::size_t>(state_size), MAP_SHARED, processor.get());
  kvm_sregs segments{};
  if (!state || !done(processor, KVM_GET_SREGS, &segments)) return false;
  segments.cs.base = 0;
  segments.cs.selector = 0;
  kvm_regs registers{};
  registers.rip = kPage;
  registers.rflags = 2;  // the bit that is always set
  return done(processor, KVM_SET_SREGS, &segments) && done(processor, KVM_SET_REGS, &registers) &&
         done(processor, KVM_RUN, 0) && state.as<kvm_run>()->exit_reason == KVM_EXIT_HLT;
}

}  // namespace

bool have_kvm() {
  static const bool works = runs_a_machine();
  return works;
}

}  // namespace rosbuild
