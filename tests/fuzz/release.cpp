// The index of a server: what parses names no file outside of its folder, and reads the same
// again. The same bytes as GRUB's block name no version that is none.
#include <cstdlib>

#include "runtime/base/boot_state.h"
#include "runtime/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const ros::BootState state = ros::parse_block(text);
  for (const auto* version : {&state.current, &state.previous, &state.trial, &state.failed})
    if (!version->empty() && !ros::is_version(*version)) std::abort();
  if (ros::to_block(state).size() != 1024) std::abort();
  std::vector<ros::Release> releases;
  try {
    releases = ros::parse_releases(text, "index");
  } catch (const ros::Error&) {
    return 0;
  }
  std::string again;
  for (const auto& release : releases) {
    again += to_text(release);
    for (const auto& file : release.files)
      if (file.path.front() == '/' || file.path.front() == '.' ||
          file.path.find("/.") != std::string::npos)
        std::abort();
  }
  if (ros::parse_releases(again, "again") != releases) std::abort();
  return 0;
}
