// What users hand to a machine: cloud-config, scripts, messages of several parts.
#include "runtime/ros/user_data.h"

#include "tests/fuzz/network_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  // gzip's header, and what base64 makes of it: to start that program for each
  // input would be most of the time.
  if (text.find("\x1f\x8b") != text.npos || text.find("H4s") != text.npos) return 0;
  std::vector<std::string> problems;
  const auto fetch = [](const std::string& url) { return "#!/bin/sh\n: " + url; };
  const auto parts = ros::split_user_data(text, "f", fetch, problems);
  for (const auto& script : parts.scripts) {
    if (!script.starts_with("#!")) fuzz::fail("script", script);
  }
  (void)ros::needs_network(text);
  return 0;
}
