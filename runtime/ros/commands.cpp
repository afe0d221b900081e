#include "runtime/ros/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

int status_of(const std::vector<std::string>& argv) {
  try {
    return run(argv);
  } catch (const Error& error) {
    announce_error(error.what());
    return 127;  // as a shell says of a program that is not there
  }
}

}  // namespace

void run_commands(const Config& config, const std::string& key, OnFailure on_failure) {
  const Value* list = config.find(key);
  if (!list) return;
  for (const auto& item : list->items()) {
    const auto argv =
        item.is_list() ? item.as_texts() : std::vector<std::string>{"/bin/sh", "-c", item.text()};
    const int status = argv.empty() ? 0 : status_of(argv);
    if (status == 0) continue;
    const bool stops = on_failure == OnFailure::stop;
    const auto& at = item.position();
    announce_error(fmt::format("{}:{}:{}: {} {} ended with status {}{}", at.file, at.line,
                               at.column, key, quote(argv), status,
                               stops ? "; the rest is not run" : ""));
    if (stops) return;
  }
}

void run_script(const fs::path& file) {
  boost::system::error_code absent;
  if (!fs::is_regular_file(file, absent)) return;
  const std::string start = try_read_file(file).value_or("").substr(0, 2);
  const bool program = (start == "#!" || start == "\177E") && ::access(file.c_str(), X_OK) == 0;
  const auto argv = program ? std::vector<std::string>{file.string()}
                            : std::vector<std::string>{"/bin/sh", file.string()};
  if (const int status = status_of(argv); status != 0)
    announce_error(fmt::format("{} ended with status {}", file.string(), status));
}

}  // namespace ros
