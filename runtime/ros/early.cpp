// `ros early-config` and `ros bootcmd`: init, which reads no YAML, starts them before
// the state is there (runtime/init/early_config.h).
#include <fmt/format.h>

#include "runtime/base/cmdline.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/ros/commands.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

std::string parameter(const std::string& name, const std::string& value) {
  return fmt::format("{}=\"{}\" ", name, replace_all(value, "\"", "\\\""));
}

}  // namespace

int early_config_verb(const Arguments&) {
  const Config config = load_config("/", {.command_line = false});
  std::string line;
  if (const Value* state = config.find("rancher.state"))
    for (const auto& [name, value] : state->members())
      line += parameter("rancher.state." + name,
                        value.is_list() ? "[" + join(value.as_texts(), ",") + "]" : value.text());
  if (const Value* list = config.find("bootcmd"); list && !list->items().empty())
    line += parameter("cc.bootcmd", "true");
  fs::create_directories(fs::path{kEarlyConfig}.parent_path());
  write_file(kEarlyConfig, line);
  return 0;
}

int bootcmd_verb(const Arguments&) {
  run_commands(load_config(), "bootcmd", OnFailure::go_on);
  return 0;
}

}  // namespace ros
