// The index of a catalogue: what is accepted names no file outside of it, and no digest that is
// none.
#include "runtime/ros/catalogue.h"

#include <cstdint>
#include <cstdlib>

#include "runtime/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  try {
    for (const auto& [name, digest] : ros::parse_index(text, "f")) {
      if (name.empty() || name[0] == '.' || name.find('/') != name.npos) std::abort();
      if (!digest.empty() && digest.size() != 64) std::abort();
    }
  } catch (const ros::Error&) {
    return 0;
  }
  return 0;
}
