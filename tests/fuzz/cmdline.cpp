// The kernel command line, as init and as ros read it.
#include "runtime/base/cmdline.h"

#include <cstdlib>

#include "runtime/config/load.h"
#include "runtime/config/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ros::Cmdline line{{reinterpret_cast<const char*>(data), size}};
  for (const auto& parameter : line.parameters()) {
    (void)line.list(parameter.name);
    (void)line.number(parameter.name, 0);
    if (parameter.assigned && line.all(parameter.name).empty()) std::abort();
  }
  ros::Value tree = ros::parse_command_line(line);
  std::vector<ros::Error> problems;
  ros::validate(tree, problems);
  if (!tree.is_map()) std::abort();
  return 0;
}
