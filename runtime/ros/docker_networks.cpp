#include "runtime/ros/docker_networks.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/engine/bolt.h"

namespace ros {
namespace {

using nlohmann::json;

constexpr std::string_view kPrefix = "docker/network/v1.0/";
constexpr std::size_t kIndex = 8;  // libkv's, in front of each value

bool is_default(const std::string& key, const std::string& value) {
  if (!key.starts_with(kPrefix)) return false;
  const auto kind = key.substr(kPrefix.size(), key.find('/', kPrefix.size()) - kPrefix.size());
  // Counts, and what ended with its containers.
  for (const char* passing : {"endpoint_count", "endpoint", "bridge-endpoint", "sandbox"})
    if (kind == passing) return true;
  if (value.size() < kIndex) return false;
  const json record = json::parse(value.substr(kIndex), nullptr, false);
  if (!record.is_object()) return false;
  if (kind == "bridge") {
    const auto it = record.find("DefaultBridge");
    return it != record.end() && *it == true;
  }
  const auto name = record.find("name");
  return kind == "network" && name != record.end() &&
         (*name == "bridge" || *name == "host" || *name == "none");
}

}  // namespace

bool only_default_networks(const std::map<std::string, std::string>& records) {
  return std::ranges::all_of(
      records, [](const auto& record) { return is_default(record.first, record.second); });
}

void forget_default_networks(const fs::path& graph) {
  const fs::path store = graph / "network/files/local-kv.db";
  try {
    if (fs::exists(store) && only_default_networks(read_bolt(store, "libnetwork")))
      fs::remove(store);
  } catch (const std::exception& error) {
    log::info(error.what());  // Docker's own affair: it says what is wrong with it
  }
}

}  // namespace ros
