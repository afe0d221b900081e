// Addresses, gateways and routes of interfaces, as lines for `ip -batch`.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "runtime/ros/net_address.h"
#include "runtime/ros/net_plan.h"

namespace ros {

// One for all interfaces of a plan: two of them must not have the same route.
class Addressing {
 public:
  explicit Addressing(std::vector<Error>& problems) : problems_(problems) {}

  // Appends to interface.set_up what its settings ask for; what is wrong is left
  // out and named.
  void add(Interface& interface);

 private:
  struct Route {
    const Value& where;
    std::string to, via, metric;
  };

  void add_address(Interface& interface, const Value& where, const std::string& text);
  void add_route(Interface& interface, const Route& route);
  bool check(const Interface& interface, const Route& route);
  void problem(const Value& where, std::string what, std::string advice);

  std::vector<Error>& problems_;
  std::set<std::string> routes_;
  std::vector<NetAddress> own_;  // of the interface that is added
};

}  // namespace ros
