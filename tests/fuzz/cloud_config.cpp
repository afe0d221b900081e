// cloud-config: what is accepted must be written and read back as the same, and the
// network that it describes must be one that can be planned.
#include "runtime/base/error.h"
#include "tests/fuzz/network_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  ros::Value tree;
  try {
    tree = ros::parse_yaml(text, "f");
  } catch (const ros::Error&) {
    return 0;
  }
  const std::string once = ros::to_yaml(tree);
  if (once.size() > 1u << 20) return 0;  // escapes and indentation may pass the bound of a text
  const std::string twice = ros::to_yaml(ros::parse_yaml(once, "again"));
  if (once != twice) {
    std::fprintf(stderr, "written:\n%s\nread and written again:\n%s\n", once.c_str(),
                 twice.c_str());
    std::abort();
  }
  std::vector<ros::Error> problems, again;
  ros::validate(tree, problems);
  ros::validate(tree, again);
  if (!again.empty()) std::abort();  // what is left is valid
  if (tree.is_map()) fuzz::check_plan({tree, {}});
  return 0;
}
