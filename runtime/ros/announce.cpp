#include "runtime/ros/announce.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/ros/net_links.h"

namespace ros {
std::vector<std::string> active_consoles() {
  return words(try_read_file("/sys/class/tty/console/active").value_or("console"));
}

void announce(std::string_view line) noexcept {
  try {
    log::info(line);
    const std::string text = fmt::format("{}\r\n", line);
    for (const auto& name : active_consoles()) {
      const Fd tty{::open(("/dev/" + name).c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
      if (!tty) continue;
      std::string_view rest = text;
      while (!rest.empty()) {
        const auto count = ::write(tty.get(), rest.data(), rest.size());
        if (count <= 0) {
          pollfd writable{tty.get(), POLLOUT, 0};
          if (errno != EAGAIN || ::poll(&writable, 1, 1000) <= 0) break;
          continue;
        }
        rest.remove_prefix(static_cast<std::size_t>(count));
      }
    }
  } catch (const std::exception&) {  // no memory or no console: the boot goes on
  }
}

void announce_error(std::string_view line) noexcept {
  try {
    for (const auto& part : split(line, '\n')) announce("rancheros: error: " + part);
  } catch (const std::exception&) {
  }
}

std::vector<Address> addresses() {
  std::vector<Address> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  for (const ifaddrs* entry = list; entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr || !(entry->ifa_flags & IFF_UP) || is_inner_link(entry->ifa_name)) {
      continue;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (entry->ifa_addr->sa_family == AF_INET) {
      const auto* in = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
      ::inet_ntop(AF_INET, &in->sin_addr, text.data(), text.size());
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      const auto* in = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
      if (IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr)) continue;
      ::inet_ntop(AF_INET6, &in->sin6_addr, text.data(), text.size());
    } else {
      continue;
    }
    found.push_back({entry->ifa_name, text.data()});
  }
  ::freeifaddrs(list);
  return found;
}

void watch_addresses(int timeout_ms, const std::function<bool()>& changed) {
  const Fd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  sockaddr_nl local{};
  local.nl_family = AF_NETLINK;
  local.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (!socket || ::bind(socket.get(), reinterpret_cast<sockaddr*>(&local), sizeof local) != 0) {
    throw Error::from_errno("cannot listen to network changes");
  }
  while (changed()) {
    pollfd readable{socket.get(), POLLIN, 0};
    const int ready = ::poll(&readable, 1, timeout_ms);
    if (ready == 0) return;
    std::array<char, 8192> buffer;
    if (ready > 0) (void)!::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  }
}

}  // namespace ros
