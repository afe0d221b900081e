#include "runtime/ros/net_addressing.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/text.h"
#include "runtime/ros/network_tree.h"

namespace ros {
namespace {

constexpr const char* kAnywhere = "default";

}  // namespace

void Addressing::problem(const Value& where, std::string what, std::string advice) {
  problems_.push_back(mistake(where, std::move(what), std::move(advice)));
}

void Addressing::add(Interface& interface) {
  const Value& settings = interface.settings;
  const std::string metric = member_text(settings, "metric");
  own_.clear();
  for (const char* key : {"address", "addresses"}) {
    const Value* value = settings.find(key);
    if (!value) continue;
    for (const auto& text : value->as_texts()) {
      if (!text.empty()) add_address(interface, *value, text);
    }
  }
  for (const char* key : {"gateway", "gateway_ipv6"}) {
    const Value* value = settings.find(key);
    if (value && !value->text().empty())
      add_route(interface, {*value, kAnywhere, value->text(), metric});
  }
  const Value* routes = settings.find("routes");
  if (!routes) return;
  for (const Value& item : routes->items()) {
    const std::string own = member_text(item, "metric");
    add_route(interface, {item, member_text(item, "to"), member_text(item, "via"),
                          own.empty() ? metric : own});
  }
}

void Addressing::add_address(Interface& interface, const Value& where, const std::string& text) {
  const auto address = parse_address(text);
  if (!address || address->bits < 0) {
    return problem(where, fmt::format("address of {}: {} is none", interface.name, quote(text)),
                   "write ADDRESS/BITS, such as 192.0.2.10/24 or 2001:db8::10/64");
  }
  own_.push_back(*address);
  const bool has_broadcast = !address->v6 && address->bits < 31 && interface.name != "lo";
  interface.set_up.push_back(
      {Operation::Kind::ip,
       words(fmt::format("address replace {} {}dev {}", text, has_broadcast ? "broadcast + " : "",
                         interface.name))});
}

bool Addressing::check(const Interface& interface, const Route& route) {
  const auto& [where, to, via, metric] = route;
  const auto target = parse_address(to);
  const auto gateway = parse_address(via);
  const bool anywhere = to == kAnywhere;
  if ((!anywhere && !target) || (!via.empty() && (!gateway || gateway->bits >= 0)) ||
      (anywhere && !gateway) || (target && gateway && target->v6 != gateway->v6)) {
    problem(where,
            fmt::format("route of {}: to {} via {} is none", interface.name, quote(to), quote(via)),
            "a gateway is a plain address; routes are {to: NETWORK/BITS or default, "
            "via: ADDRESS, metric: NUMBER}");
    return false;
  }
  const auto number = Value::scalar(metric).as_int();
  if (!metric.empty() && (!number || *number < 0 || *number > 0xffffffffLL)) {
    problem(where, fmt::format("metric of {}: {} is none", interface.name, quote(metric)),
            "a whole number; the smallest is preferred");
    return false;
  }
  const bool v6 = gateway ? gateway->v6 : target->v6;
  if (!routes_.insert(fmt::format("{} {} {}", v6, to, metric)).second) {
    problem(where,
            fmt::format("{} has the same route to {} as another interface", interface.name, to),
            "give one of them a metric; the smallest is preferred");
    return false;
  }
  return true;
}

void Addressing::add_route(Interface& interface, const Route& route) {
  if (!check(interface, route)) return;
  const auto gateway = parse_address(route.via);
  const bool anywhere6 = route.to == kAnywhere && gateway->v6;
  std::string line = "route replace " + (anywhere6 ? "::/0" : route.to);
  if (gateway) line += " via " + route.via;
  line += " dev " + interface.name;
  if (!route.metric.empty()) line += " metric " + route.metric;
  // A gateway outside of our own subnets (usual for /32) is still on this link.
  const bool link_local = gateway && gateway->v6 && route.via.starts_with("fe80:");
  if (gateway && !link_local && std::none_of(own_.begin(), own_.end(), [&](const auto& address) {
        return address.covers(*gateway);
      })) {
    line += " onlink";
  }
  interface.set_up.push_back({Operation::Kind::ip, words(line)});
}

}  // namespace ros
