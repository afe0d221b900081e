#include "runtime/ros/vmware_rpc.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "runtime/ros/fetch.h"
#include "runtime/ros/hypervisor.h"

#if defined(__x86_64__)
#include <sys/io.h>
#endif

namespace ros {
namespace {

constexpr std::uint32_t kMagic = 0x564D5868;  // "VMXh"
constexpr std::uint32_t kPort = 0x5658;       // "VX"
constexpr std::uint32_t kVersionCommand = 10;
constexpr std::uint32_t kMessageCommand = 30;
constexpr std::uint32_t kProtocol = 0x49435052 | 0x80000000;  // "RPCI", with a cookie

// The upper half of ecx: what to do, and what became of it.
enum class Step : std::uint32_t { open, send_size, send, receive_size, receive, end, close };
constexpr std::uint32_t kSuccess = 1;
constexpr std::uint32_t kMessageIsThere = 2;

// One conversation; closed at the end of its life.
class Channel {
 public:
  explicit Channel(const VmwarePort& port) : port_(port) {
    const auto opened = call(Step::open, kProtocol);
    open_ = opened.has_value();
    if (!open_) return;
    id_ = opened->edx >> 16;
    cookie_high_ = opened->esi;
    cookie_low_ = opened->edi;
  }
  Channel(const Channel&) = delete;
  ~Channel() {
    if (open_) call(Step::close, 0);
  }

  bool send(std::string_view text) const {
    if (!open_ || !call(Step::send_size, static_cast<std::uint32_t>(text.size()))) return false;
    while (!text.empty()) {
      std::uint32_t word = 0;
      const auto count = std::min(text.size(), sizeof word);
      std::memcpy(&word, text.data(), count);  // both sides are little-endian
      if (!call(Step::send, word)) return false;
      text.remove_prefix(count);
    }
    return true;
  }

  std::optional<std::string> receive() const {
    const auto announced = call(Step::receive_size, 0);
    if (!announced || !(announced->ecx >> 16 & kMessageIsThere) ||
        announced->edx >> 16 != static_cast<std::uint32_t>(Step::send_size) ||
        announced->ebx > kMaxDocument) {
      return std::nullopt;
    }
    std::string text;
    while (text.size() < announced->ebx) {
      const auto piece = call(Step::receive, kSuccess);
      if (!piece || piece->edx >> 16 != static_cast<std::uint32_t>(Step::send)) return std::nullopt;
      char bytes[4];
      std::memcpy(bytes, &piece->ebx, sizeof bytes);
      text.append(bytes, std::min(sizeof bytes, announced->ebx - text.size()));
    }
    call(Step::end, kSuccess);
    return text;
  }

 private:
  std::optional<PortRegisters> call(Step step, std::uint32_t argument) const {
    PortRegisters registers{kMagic,
                            argument,
                            static_cast<std::uint32_t>(step) << 16 | kMessageCommand,
                            id_ << 16 | kPort,
                            cookie_high_,
                            cookie_low_};
    port_(registers);
    if (!(registers.ecx >> 16 & kSuccess)) return std::nullopt;
    return registers;
  }

  const VmwarePort& port_;
  bool open_ = false;
  std::uint32_t id_ = 0;
  std::uint32_t cookie_high_ = 0;
  std::uint32_t cookie_low_ = 0;
};

#if defined(__x86_64__)

void use_port(PortRegisters& registers) {
  asm volatile("inl %%dx, %%eax"
               : "+a"(registers.eax), "+b"(registers.ebx), "+c"(registers.ecx), "+d"(registers.edx),
                 "+S"(registers.esi), "+D"(registers.edi)
               :
               : "memory", "cc");
}

// The hypervisor answers whatever the kernel allows (under Secure Boot that is
// nothing), unless its administrator closed the port: then the instruction is a
// fault, which only a process of its own may meet.
bool port_answers() {
  const pid_t pid = ::fork();
  if (pid == 0) {
    PortRegisters registers{kMagic, 0, kVersionCommand, kPort, 0, 0};
    use_port(registers);
    ::_exit(registers.ebx == kMagic ? 0 : 1);
  }
  int status = 1;
  return pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

#endif

}  // namespace

// "1 VALUE", or "0 " and why there is none.
std::optional<std::string> VmwareRpc::get(const std::string& variable) const {
  const Channel channel{port_};
  if (!channel.send("info-get " + variable)) return std::nullopt;
  auto reply = channel.receive();
  if (!reply || !reply->starts_with("1 ")) return std::nullopt;
  reply->erase(0, 2);
  while (reply->ends_with('\0')) reply->pop_back();
  return reply;
}

std::optional<VmwareRpc> open_vmware_rpc() {
#if defined(__x86_64__)
  if (hypervisor_signature() != "VMwareVMware") return std::nullopt;
  ::iopl(3);  // needed where the port is restricted to those who may use ports
  if (port_answers()) return VmwareRpc{use_port};
#endif
  return std::nullopt;
}

}  // namespace ros
