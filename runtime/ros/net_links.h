// The links that are there, and which entry of rancher.network.interfaces means which.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/config/value.h"

namespace ros {

// A network interface of the kernel, as /sys/class/net shows it.
struct Link {
  std::string name;
  std::string mac;     // the card's own, also while it is in a bond
  std::string kind;    // DEVTYPE of its uevent: vlan, bond, bridge, wlan …; empty: a card
  std::string master;  // the bond or bridge it is in
  int index = 0;       // the kernel's; never used again for another link
};

std::vector<Link> present_links(const fs::path& root = "/");

// The settings for `link`, or nothing: an exact MAC weighs more than the exact
// name, that more than a pattern, and of patterns the longest one wins.
const Value* find_settings(const Value& table, const Link& link);

// What an entry matches: "mac:…" or "mac=…", a name or a pattern; its key unless it says otherwise.
std::string matcher_of(const std::string& key, const Value& settings);
// lo, or one that an engine made: nobody reaches the machine through these.
bool is_inner_link(std::string_view name);
// Is it one name, and no pattern or address?
bool is_name(const std::string& matcher);

}  // namespace ros
