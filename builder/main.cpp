// rosbuild: parse, dispatch, say what went wrong.
#include <fmt/format.h>

#include "builder/build.h"
#include "builder/os/process.h"
#include "runtime/base/error.h"

namespace {

int dispatch(const rosbuild::Request& request) {
  switch (request.verb) {
    case rosbuild::Verb::image:
      return rosbuild::build_images(request);
    case rosbuild::Verb::lock:
      return rosbuild::update_lock(request);
    case rosbuild::Verb::list:
      return rosbuild::list_platforms(request);
    case rosbuild::Verb::lint:
      return rosbuild::lint(request);
    case rosbuild::Verb::boot:
      return rosbuild::boot(request);
    case rosbuild::Verb::verify:
      return rosbuild::verify(request);
    case rosbuild::Verb::publish:
      return rosbuild::publish_outputs(request);
  }
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto parsed = rosbuild::parse_command_line({argv + 1, argv + argc});
    if (const auto* text = std::get_if<std::string>(&parsed)) {
      fmt::print("{}", *text);
      return 0;
    }
    return dispatch(std::get<rosbuild::Request>(parsed));
  } catch (const rosbuild::Cancelled&) {
    fmt::print(stderr, "rosbuild: stopped\n");
    return 130;
  } catch (const ros::Error& error) {
    // Problems of the input start with their own place: editors jump to file:line:col.
    const bool input = error.kind() == ros::Error::Kind::input;
    fmt::print(stderr, "{}{}\n", input ? "" : "rosbuild: ", error.what());
    return error.exit_status();
  } catch (const std::exception& error) {
    fmt::print(stderr, "rosbuild: unexpected: {}\n", error.what());
    return 1;
  }
}
