// What must be true of a network that a document describes, whatever the document says.
#pragma once

#include <cctype>
#include <cstdio>
#include <cstdlib>

#include "runtime/config/schema.h"
#include "runtime/ros/net_clients.h"

namespace fuzz {

[[noreturn]] inline void fail(const char* what, const std::string& text) {
  std::fprintf(stderr, "%s: %s\n", what, text.c_str());
  std::abort();
}

// One word for `ip -batch`, whose lines are split at blanks.
inline bool is_word(const std::string& text) {
  for (const char each : text) {
    const auto c = static_cast<unsigned char>(each);
    if (std::isspace(c) || std::iscntrl(c)) return false;
  }
  return !text.empty();
}

// A card for each address that is named, so that the plan has something to plan.
inline std::vector<ros::Link> cards_for(const ros::Config& config) {
  std::vector<ros::Link> links{{"lo", "00:00:00:00:00:00", "", "", 1}};
  const ros::Value* interfaces = config.find("rancher.network.interfaces");
  if (!interfaces) return links;
  for (const auto& [key, settings] : interfaces->members()) {
    const bool mac = key.starts_with("mac=") || key.starts_with("mac:");
    const int index = static_cast<int>(links.size()) + 1;
    links.push_back(
        {"eth" + std::to_string(index), mac ? key.substr(4) : "52:54:00:00:00:01", "", "", index});
  }
  return links;
}

inline void check_plan(const ros::Config& config) {
  std::vector<ros::Error> problems;
  for (const auto& interface : ros::plan_network(config, cards_for(config)).interfaces) {
    if (!is_word(interface.name) || interface.name.find('/') != std::string::npos)
      fail("name of an interface", interface.name);
    for (const auto* steps : {&interface.make, &interface.set_up}) {
      for (const auto& step : *steps) {
        if (step.kind == ros::Operation::Kind::write &&
            (step.words[0] + "/").find("/../") != std::string::npos)  // a..b is a name
          fail("file", step.words[0]);
        if (step.kind != ros::Operation::Kind::ip) continue;
        for (const auto& word : step.words) {
          if (!is_word(word)) fail("word for ip", word);
        }
      }
    }
    ros::clients_of(config, interface, problems);
  }
}

// `network` is a tree as rancher.network, out of a document of a datasource: nothing
// in it may be unknown to the configuration.
inline void check_network(const ros::Value& network) {
  if (network.is_null()) return;
  ros::Config config;
  config.tree.set_path("rancher.network", network);
  std::vector<ros::Error> problems;
  ros::validate(config.tree, problems);
  for (const auto& problem : problems) fail("not valid", problem.what());
  const std::string text = ros::to_yaml(config.tree);
  if (text.size() < 1u << 20 && ros::to_yaml(ros::parse_yaml(text, "kept")) != text)
    fail("not read back", text);
  check_plan(config);
}

}  // namespace fuzz
