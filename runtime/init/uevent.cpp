#include "runtime/init/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>

#include "runtime/base/error.h"

namespace ros {
namespace {

// A coldplug of a big server makes thousands of events before anyone reads.
constexpr int kBufferSize = 8 << 20;
constexpr unsigned kKernelGroup = 1;

}  // namespace

std::optional<Uevent> parse_uevent(std::string_view message) {
  const auto header = message.substr(0, message.find('\0'));
  if (header.find('@') == header.npos) return {};  // "libudev" and what else is sent to the group
  Uevent event;
  std::size_t start = header.size() + 1;
  while (start < message.size()) {
    const auto end = std::min(message.find('\0', start), message.size());
    const auto line = message.substr(start, end - start);
    const auto equals = line.find('=');
    const auto key = line.substr(0, equals);
    const std::string value{equals == line.npos ? "" : line.substr(equals + 1)};
    if (key == "ACTION") event.action = value;
    if (key == "DEVPATH") event.devpath = value;
    if (key == "SUBSYSTEM") event.subsystem = value;
    if (key == "DEVNAME") event.devname = value;
    if (key == "MODALIAS") event.modalias = value;
    start = end + 1;
  }
  if (event.action.empty()) return {};
  return event;
}

UeventSocket::UeventSocket()
    : fd_{::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT)} {
  if (!fd_) throw Error::from_errno("cannot listen to device events");
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBufferSize, sizeof kBufferSize);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelGroup;
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw Error::from_errno("cannot listen to device events");
}

std::optional<Uevent> UeventSocket::next() {
  std::array<char, 8192> buffer;
  for (;;) {
    sockaddr_nl sender{};
    socklen_t size = sizeof sender;
    const auto count = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), 0,
                                  reinterpret_cast<sockaddr*>(&sender), &size);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == ENOBUFS) {
        overrun_ = true;
        continue;
      }
      return {};
    }
    if (sender.nl_pid != 0) continue;  // only the kernel is believed
    if (auto event = parse_uevent({buffer.data(), static_cast<std::size_t>(count)})) return event;
  }
}

}  // namespace ros
