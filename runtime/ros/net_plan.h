// What the network should be: the configuration and the links that are there,
// turned into an ordered list of operations. Changes nothing and asks nobody, so
// all of it is tested without a machine; network.cpp carries it out.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/config/load.h"
#include "runtime/ros/net_links.h"

namespace ros {

struct Operation {
  enum class Kind {
    ip,      // words of one line for `ip -batch`
    write,   // words[0] is the file, words[1] what is written into it
    command  // an argv, written by the user
  };
  Kind kind = Kind::ip;
  std::vector<std::string> words;
  bool operator==(const Operation&) const = default;
};
using Operations = std::vector<Operation>;

struct Interface {
  std::string name;
  std::string made;   // the `ip` line that makes a bridge, bond or VLAN; empty for a card
  Value settings;     // those that matched
  Operations make;    // when it is not there; of all interfaces before any set_up
  Operations set_up;  // pre_up, the link, addresses, routes
  Operations post_up;
  bool asks = false;  // addresses come from DHCP, router advertisements or IPv4LL
};

struct NetworkPlan {
  std::vector<Interface> interfaces;  // parents before their VLANs
  std::vector<Error> problems;        // what was left out, with its place
};

// An interface that no entry of rancher.network.interfaces matches is not in the
// plan: it stays down. Without any entry, eth* ask DHCP.
NetworkPlan plan_network(const Config& config, const std::vector<Link>& present);

// A mistake in the configuration, and where it is.
Error mistake(const Value& where, std::string what, std::string advice = {});

// Commands of pre_up, post_cmds …: a list is an argv, a text goes through the
// shell; $iface stands for the interface.
Operations commands_of(const Value* list, const std::string& interface);

// What takes back what was set on an interface; `made`: it goes as a whole.
Operations undo(const std::string& name, bool made);

}  // namespace ros
