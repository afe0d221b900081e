#include "runtime/ros/net_links.h"

#include <fnmatch.h>
#include <strings.h>

#include <utility>

#include "runtime/base/text.h"
#include "runtime/ros/network_tree.h"

namespace ros {
namespace {

bool means_mac(const std::string& matcher) {
  return matcher.starts_with("mac:") || matcher.starts_with("mac=");
}

enum class Match { none, pattern, name, mac };

Match match(const std::string& matcher, const Link& link) {
  if (means_mac(matcher)) {
    // These have the address of a card that is meant itself.
    if (link.kind == "vlan" || link.kind == "bond" || link.kind == "bridge") return Match::none;
    const std::string mac = matcher.substr(4);
    if (::strcasecmp(mac.c_str(), link.mac.c_str()) == 0) return Match::mac;
    return ::fnmatch(mac.c_str(), link.mac.c_str(), FNM_CASEFOLD) == 0 ? Match::pattern
                                                                       : Match::none;
  }
  if (matcher == link.name) return Match::name;
  if (is_inner_link(link.name)) return Match::none;
  return ::fnmatch(matcher.c_str(), link.name.c_str(), 0) == 0 ? Match::pattern : Match::none;
}

}  // namespace

std::vector<Link> present_links(const fs::path& root) {
  std::vector<Link> links;
  boost::system::error_code ignored;
  for (fs::directory_iterator it{root / "sys/class/net", ignored}, end; it != end;
       it.increment(ignored)) {
    const auto read = [&](const char* file) {
      return std::string{trim(try_read_file(it->path() / file).value_or(""))};
    };
    Link link;
    link.name = it->path().filename().string();
    if (!fs::is_directory(it->path(), ignored)) continue;  // bonding_masters
    link.mac = read("bonding_slave/perm_hwaddr");
    if (link.mac.empty()) link.mac = read("address");
    for (const auto& line : split(read("uevent"), '\n')) {
      if (line.starts_with("DEVTYPE=")) link.kind = line.substr(8);
    }
    const fs::path master = fs::read_symlink(it->path() / "master", ignored);
    link.master = master.filename().string();
    link.index = static_cast<int>(Value::scalar(read("ifindex")).as_int().value_or(0));
    if (link.index == 0) continue;  // it is just going
    links.push_back(std::move(link));
  }
  return links;
}

const Value* find_settings(const Value& table, const Link& link) {
  const Value* best = nullptr;
  std::pair<Match, std::size_t> weight{Match::none, 0};
  for (const auto& [key, settings] : table.members()) {
    const std::string matcher = matcher_of(key, settings);
    const std::pair found{match(matcher, link), matcher.size()};
    if (found.first == Match::none || found <= weight) continue;
    best = &settings;
    weight = found;
  }
  return best;
}

std::string matcher_of(const std::string& key, const Value& settings) {
  if (const auto match = member_text(settings, "match"); !match.empty()) return match;
  if (const auto mac = member_text(settings, "mac"); !mac.empty()) return "mac:" + mac;
  return key;
}

bool is_inner_link(std::string_view name) {
  // moby: bridges are br- and 12 digits of the network's id, and a swarm has one of its own.
  const bool network = name.size() == 15 && name.starts_with("br-") &&
                       name.find_first_not_of("0123456789abcdef", 3) == name.npos;
  return name == "lo" || name == "docker0" || name == "docker_gwbridge" || network ||
         name.starts_with("veth");
}

bool is_name(const std::string& matcher) {
  return !means_mac(matcher) && matcher.find_first_of("*?[") == std::string::npos;
}

}  // namespace ros
