// `ros netconf`, the network service: carries out the plan (net_plan.h), and does so
// again whenever the kernel says that a link has come or gone.
//
// What was set is written down in kRecord. A service that starts anew takes back
// what its configuration no longer wants and leaves the rest alone, so that
// `ros service restart network` over ssh cuts nobody off without a reason.
#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/net_children.h"
#include "runtime/ros/net_leases.h"
#include "runtime/ros/net_plan.h"
#include "runtime/ros/process.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kRecord = "/run/ros/net/interfaces.json";
constexpr const char* kProxyProfile = "/etc/profile.d/proxy.sh";
constexpr std::size_t kMostOutput = 1 << 20;
constexpr std::int64_t kDhcpTimeout = 10;  // seconds
constexpr const char* kDhcp = "DHCP";      // owner of the dhcpcd that interfaces share

void guarded(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    announce_error(fmt::format("network: {}", error.what()));
  }
}

// One `ip -batch` for all lines. It says "Command failed -:LINE" after each message.
void run_ip(const std::vector<std::vector<std::string>>& lines) {
  std::string input;
  for (const auto& line : lines) input += join(line, " ") + "\n";
  log::debug("ip: " + replace_all(input, "\n", "; "));
  const auto [status, output] = capture_bounded({"ip", "-force", "-batch", "-"}, input, kMostOutput,
                                                {}, {.errors_too = true});
  std::string message;
  for (const auto& text : split(output, '\n')) {
    constexpr std::string_view kFailed = "Command failed -:";
    if (!text.starts_with(kFailed)) {
      if (!trim(text).empty()) message = std::string{trim(text)};
      continue;
    }
    const auto number = Value::scalar(text.substr(kFailed.size())).as_int().value_or(0);
    const auto index = static_cast<std::size_t>(number - 1);
    announce_error(fmt::format("network: ip {}: {}",
                               index < lines.size() ? join(lines[index], " ") : "", message));
    message.clear();
  }
  if (status != 0 && !message.empty()) announce_error("network: ip: " + message);
}

void carry_out(const Operations& steps) {
  std::vector<std::vector<std::string>> lines;
  const auto flush = [&] {
    if (!lines.empty()) guarded([&] { run_ip(lines); });
    lines.clear();
  };
  for (const auto& step : steps) {
    if (step.kind == Operation::Kind::ip) {
      lines.push_back(step.words);
      continue;
    }
    flush();
    guarded([&] {
      if (step.kind == Operation::Kind::write) return write_file(step.words[0], step.words[1]);
      if (const int status = run(step.words); status != 0)
        announce_error(fmt::format("network: {} ended with status {}", quote(step.words), status));
    });
  }
  flush();
}

Fd link_changes() {
  Fd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)};
  sockaddr_nl local{};
  local.nl_family = AF_NETLINK;
  local.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (!socket || ::bind(socket.get(), reinterpret_cast<sockaddr*>(&local), sizeof local) != 0) {
    throw Error::from_errno("cannot listen to network changes");
  }
  return socket;
}

class Network {
 public:
  explicit Network(Config config) : config_(std::move(config)) {}
  int serve();

 private:
  struct Applied {
    std::string made, settings;
    int index = 0;  // 0: it was not there yet; one that cannot be made is not tried for ever
  };

  void start_modem_daemons();
  void take_back();
  void settle();
  void forget_gone(const std::vector<Link>& present);
  void apply(const std::vector<const Interface*>& fresh);
  void start_clients(const std::vector<const Interface*>& fresh);
  void finish_due();
  void record() const;
  void report(const std::vector<Error>& problems);
  int wait_ms() const;

  const Config config_;
  std::map<std::string, Applied> applied_;
  std::map<std::string, Interface> pending_;  // post_up waits for an address
  std::map<std::string, Interface> asking_;   // those that share a dhcpcd, also while they are gone
  std::string dhcp_config_;                   // what that dhcpcd goes by
  std::set<std::string> said_;
  Children children_;
  Clock::time_point patience_end_ = Clock::time_point::max();
  bool post_cmds_ran_ = false;
};

void Network::report(const std::vector<Error>& problems) {
  for (const auto& problem : problems) {
    if (said_.insert(problem.what()).second) announce_error(problem.what());
  }
}

void Network::record() const {
  nlohmann::json all = nlohmann::json::object();
  for (const auto& [name, applied] : applied_) all[name] = {applied.made, applied.settings};
  write_file_atomically(kRecord, all.dump() + "\n");
}

void Network::start_modem_daemons() {
  auto daemons = modem_daemons(config_);
  if (daemons.empty()) return;
  if (!fs::exists("/usr/sbin/ModemManager")) {
    announce_error("network: modem_networks needs the layer radio, which this image does not have");
    return;
  }
  fs::create_directories("/run/dbus");
  for (auto& daemon : daemons) children_.add("modems", std::move(daemon));
}

// What an earlier run of the service has set and this one would set otherwise.
void Network::take_back() {
  const auto text = try_read_file(kRecord);
  if (!text) return;
  const auto before = nlohmann::json::parse(*text, nullptr, false);
  if (!before.is_object()) return;
  const auto present = present_links();
  const auto plan = plan_network(config_, present);
  Operations steps;
  for (const auto& [name, entry] : before.items()) {
    const auto made = entry.at(0).get<std::string>();
    const auto same = [&, &name = name, &entry = entry](const Interface& interface) {
      return interface.name == name && interface.made == made &&
             to_yaml(interface.settings) == entry.at(1).get<std::string>();
    };
    const auto there = [&, &name = name](const Link& link) { return link.name == name; };
    if (std::any_of(plan.interfaces.begin(), plan.interfaces.end(), same) ||
        std::none_of(present.begin(), present.end(), there) || name == "lo") {
      continue;
    }
    for (auto& step : undo(name, !made.empty())) steps.push_back(std::move(step));
    for (const char* protocol : {".4", ".6"}) fs::remove(fs::path{kLeases} / (name + protocol));
  }
  carry_out(steps);
}

void Network::apply(const std::vector<const Interface*>& fresh) {
  Operations steps;
  for (const Interface* interface : fresh) {
    steps.insert(steps.end(), interface->make.begin(), interface->make.end());
  }
  for (const Interface* interface : fresh) {
    steps.insert(steps.end(), interface->set_up.begin(), interface->set_up.end());
    if (!interface->asks) {
      steps.insert(steps.end(), interface->post_up.begin(), interface->post_up.end());
    }
  }
  carry_out(steps);
  start_clients(fresh);
  patience_end_ = Clock::now() + std::chrono::seconds{
                                     config_.integer("rancher.network.dhcp_timeout", kDhcpTimeout)};
}

void Network::start_clients(const std::vector<const Interface*>& fresh) {
  std::vector<Error> problems;
  for (const Interface* interface : fresh) {
    for (auto& client : clients_of(config_, *interface, problems)) {
      children_.add(interface->name, std::move(client));
    }
    if (!interface->asks) continue;
    pending_.insert_or_assign(interface->name, *interface);
    if (!has_own_dhcp(*interface)) asking_.insert_or_assign(interface->name, *interface);
  }
  report(problems);
  std::vector<Interface> asking;
  for (const auto& entry : asking_) asking.push_back(entry.second);
  Client client = dhcp_client(asking);
  // One that comes back is seen by dhcpcd itself; only another one needs a new start.
  if (asking.empty() || client.text == dhcp_config_) return;
  dhcp_config_ = client.text;
  children_.remove(kDhcp);
  children_.add(kDhcp, std::move(client));
}

// The kernel's number of an interface, which a later one of that name does not get.
int index_of(const std::vector<Link>& present, const std::string& name) {
  const auto link = std::find_if(present.begin(), present.end(),
                                 [&](const Link& each) { return each.name == name; });
  return link == present.end() ? 0 : link->index;
}

void Network::forget_gone(const std::vector<Link>& present) {
  for (auto it = applied_.begin(); it != applied_.end();) {
    int& index = it->second.index;
    const int now = index_of(present, it->first);
    if (index == 0 || index == now) {
      index = now;
      ++it;
      continue;
    }
    // Gone, or another one by now that has its name.
    children_.remove(it->first);
    pending_.erase(it->first);
    it = applied_.erase(it);
  }
}

// Brings what is there in line with the plan.
void Network::settle() {
  const auto present = present_links();
  forget_gone(present);
  const auto plan = plan_network(config_, present);
  report(plan.problems);
  std::vector<const Interface*> fresh;
  for (const auto& interface : plan.interfaces) {
    const auto [it, is_new] = applied_.try_emplace(
        interface.name,
        Applied{interface.made, to_yaml(interface.settings), index_of(present, interface.name)});
    if (is_new) fresh.push_back(&interface);
  }
  if (!fresh.empty()) apply(fresh);
  record();
}

// Runs post_up of interfaces that have an address, or have had their time, and
// post_cmds once all are done.
void Network::finish_due() {
  const bool over = Clock::now() >= patience_end_;
  const auto known = pending_.empty() ? std::vector<Address>{} : addresses();
  for (auto it = pending_.begin(); it != pending_.end();) {
    const auto& name = it->first;
    const bool has_address = std::any_of(known.begin(), known.end(), [&](const Address& address) {
      return address.interface == name;
    });
    if (!has_address && !over) {
      ++it;
      continue;
    }
    carry_out(it->second.post_up);
    it = pending_.erase(it);
  }
  if (pending_.empty() && !post_cmds_ran_) {
    post_cmds_ran_ = true;
    carry_out(commands_of(config_.find("rancher.network.post_cmds"), ""));
  }
}

int Network::wait_ms() const {
  int wait = children_.due_ms();
  if (pending_.empty()) return wait;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(patience_end_ - Clock::now()).count();
  const int patience = static_cast<int>(std::clamp<long>(left, 0, 3600 * 1000));
  return wait < 0 ? patience : std::min(wait, patience);
}

int Network::serve() {
  sigset_t watched;
  sigemptyset(&watched);
  for (const int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&watched, number);
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  const Fd signals{::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK)};
  const Fd changes = link_changes();  // before the first look, so that none is missed

  carry_out(commands_of(config_.find("rancher.network.pre_cmds"), ""));
  guarded([&] { take_back(); });
  write_resolv_conf(config_);
  guarded([&] { start_modem_daemons(); });
  guarded([&] { settle(); });
  bool stopping = false;
  while (!stopping || children_.any_running()) {
    children_.tend();
    if (!stopping) guarded([&] { finish_due(); });
    if (stopping && !children_.any_running()) break;
    std::array<pollfd, 2> ready{{{signals.get(), POLLIN, 0}, {changes.get(), POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), wait_ms()) <= 0) continue;
    signalfd_siginfo info{};
    while (::read(signals.get(), &info, sizeof info) == sizeof info) {
      stopping = stopping || info.ssi_signo != SIGCHLD;
    }
    if (stopping) children_.stop();
    if (ready[1].revents == 0) continue;
    // What they say is read anew from /sys: a change that was lost does not matter.
    std::array<char, 8192> buffer;
    while (::recv(changes.get(), buffer.data(), buffer.size(), 0) > 0) {
    }
    if (!stopping) guarded([&] { settle(); });
  }
  return 0;
}

}  // namespace

int netconf_verb(const Arguments&) {
  log::set_name("netconf");
  Config config = load_config();
  log::set_debug(config.flag("rancher.debug"));
  guarded([&] {
    const std::string profile = proxy_profile(config);
    if (!profile.empty()) {
      write_file(kProxyProfile, profile);
    } else {
      fs::remove(kProxyProfile);
    }
  });
  return Network{std::move(config)}.serve();
}

}  // namespace ros
