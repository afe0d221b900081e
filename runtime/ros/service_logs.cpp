#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/ros/options.h"
#include "runtime/ros/service_verbs.h"

namespace ros {
namespace {

void show_log(const Service& service, bool follow, int lines) {
  Docker{service.engine()}.logs(service.container, follow, lines,
                                [](int stream, std::string_view bytes) {
                                  write_all(stream == 2 ? STDERR_FILENO : STDOUT_FILENO, bytes);
                                });
}

}  // namespace

void show_logs(const Services& services, bool follow, int lines) {
  if (services.size() == 1) return show_log(services[0], follow, lines);
  std::vector<std::thread> threads;
  for (const auto& service : services) {
    const auto show = [&service, follow, lines] {
      try {
        if (!follow) fmt::print("==> {} <==\n", service.name);
        std::fflush(stdout);
        show_log(service, follow, lines);
      } catch (const Error& error) {
        say(std::string{"ros: "} + error.what());
      }
    };
    follow ? (void)threads.emplace_back(show) : show();
  }
  for (auto& thread : threads) thread.join();
}

int service_logs(Arguments names) {
  const int lines = take_number(names, "", "--lines", take_number(names, "-n", "--tail", 100));
  const bool follow = take_flag(names, "-f", "--follow");
  expect_names(names, "logs", 1);
  show_logs(choose(names, services_now(), Left::found), follow, lines);
  return 0;
}

}  // namespace ros
