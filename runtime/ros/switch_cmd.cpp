// `ros console` and `ros engine`: which ones there are, and taking another.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/inner_engine.h"
#include "runtime/ros/options.h"
#include "runtime/ros/swap.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr const char* kConsoleHelp =
    "usage: ros console list                     the console that runs, and others\n"
    "       ros console switch IMAGE [-f] [--no-pull]\n"
    "                                            now and from now on; logins end\n"
    "       ros console enable IMAGE [--no-pull] from the next boot on\n"
    "           -f, --force   does not ask\n"
    "           --no-pull     takes the image that system Docker has\n"
    "\n"
    "IMAGE is any OCI image with a shell, such as debian:13, or `default`. What is done in a\n"
    "console other than the default one is kept, also while another one runs; to forget it:\n"
    "system-docker rm console-IMAGE. The system's own files are in it at /host.\n"
    "A console that does not start is left, and the one before runs again.\n";

constexpr const char* kEngineHelp =
    "usage: ros engine list                      the engine that runs, and others\n"
    "       ros engine switch IMAGE [-f] [--no-pull]\n"
    "                                            now and from now on; containers keep running\n"
    "       ros engine enable IMAGE [--no-pull]  from the next boot on\n"
    "           -f, --force   does not ask\n"
    "           --no-pull     takes the image that system Docker has\n"
    "\n"
    "IMAGE is an OCI image with Docker's static programs, such as docker:28-dind, or `docker`,\n"
    "the system's own. An engine that does not serve is left, and the one before runs again.\n"
    "\n"
    "       ros engine create NAME [-v IMAGE] [--network NET [--fixed-ip ADDRESS]]\n"
    "                         [--ssh-port PORT] [--authorized-keys FILE]\n"
    "                                            a Docker in a container of yours: docker-NAME;\n"
    "                                            for an image with an sshd: the port that leads\n"
    "                                            to it, and who may log in as its root\n"
    "       ros engine rm NAME [-f] [-t SECONDS] removes it with its data, stopped before\n";

constexpr const char* kSwitchContainer = "console-switch";

std::string image_of(const Choice& choice, const std::string& name) {
  return name == choice.own ? std::string{} : name;
}

// What runs: an image, or "" for the system's own.
std::string current(const Choice& choice, const Config& config) {
  std::vector<std::string> ignored;
  for (const auto& service : services_of(config, ignored))
    if (service.name == choice.service) {
      const Service now = as_chosen(service);
      return now.spec.image == service.spec.image ? std::string{} : now.spec.image;
    }
  return {};
}

int list(const Choice& choice, Arguments arguments) {
  take_flag(arguments, "-u", "--update");  // of the old system: nothing here has a catalogue
  expect_words(arguments, 0, 0, fmt::format("ros {} list", choice.verb));
  require_root();
  const Config config = load_config();
  const std::string running = current(choice, config);
  const std::string next = chosen_image(config, choice.service);
  std::set<std::string> images{running, next};
  if (choice.service == std::string{kConsole.service})
    for (const auto& container : Docker{kSystemDocker}.list(true, kConsoleLabel))
      images.insert(container.labels.at(kConsoleLabel));
  images.insert("");
  for (const auto& image : images)
    fmt::print("{:<8} {}\n",
               image == running ? "current"
               : image == next  ? "enabled"
                                : "disabled",
               image.empty() ? choice.own : image);
  return 0;
}

// In a container of its own, for the console, and this process in it, ends.
int switch_console(const std::string& name) {
  const Docker docker{kSystemDocker};
  docker.remove(kSwitchContainer);
  ContainerSpec spec;
  spec.image = kSystemImage;
  spec.command = {"ros", "console", "swap", name};
  spec.privileged = true;
  spec.network = spec.pid = spec.uts = "host";
  spec.binds = {"/etc:/etc", "/run:/run", "/usr/share/ros/oem:/usr/share/ros/oem:ro",
                "/var/lib/rancher:/var/lib/rancher"};
  spec.labels["io.rancher.os.scope"] = "system";
  const std::string id = docker.create(kSwitchContainer, spec);
  docker.start(id);
  const int status = docker.wait(id);
  docker.logs(id, false, -1,
              [](int, std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); });
  return status;
}

void swap_for_good(const Choice& choice, const std::string& name) {
  swap(choice, image_of(choice, name));
  set_user_config(choice.key, Value::scalar(name));
  announce(fmt::format("rancheros: {} {} runs", choice.verb, name));
}

int switch_to(const Choice& choice, Arguments arguments) {
  const bool force = take_flag(arguments, "-f", "--force");
  const bool pull = !take_flag(arguments, "", "--no-pull");
  expect_words(arguments, 1, 1, fmt::format("ros {} switch", choice.verb));
  require_root();
  const std::string& name = arguments[0];
  const std::string image = image_of(choice, name);
  if (image == current(choice, load_config())) {
    set_user_config(choice.key, Value::scalar(name));
    fmt::print("{} {} runs already\n", choice.verb, name);
    return 0;
  }
  const bool console = choice.service == std::string{kConsole.service};
  if (!image.empty()) fmt::print("{}\n", fetch_and_try(choice, image, pull));
  std::fflush(stdout);
  if (!force &&
      !confirm(console ? fmt::format("Switch to console {}? All logins end.", name)
                       : fmt::format("Switch to engine {}? Containers keep running.", name)))
    return 1;
  for (const int number : {SIGHUP, SIGINT, SIGTERM})
    ::signal(number, SIG_IGN);  // once begun, it is ended
  if (console) return switch_console(name);
  swap_for_good(choice, name);
  fmt::print("Docker {}\n", Docker{kUserDocker}.version());
  return 0;
}

int enable(const Choice& choice, Arguments arguments) {
  const bool pull = !take_flag(arguments, "", "--no-pull");
  expect_words(arguments, 1, 1, fmt::format("ros {} enable", choice.verb));
  require_root();
  if (const auto image = image_of(choice, arguments[0]); !image.empty())
    fmt::print("{}\n", fetch_and_try(choice, image, pull));
  set_user_config(choice.key, Value::scalar(arguments[0]));
  fmt::print("{} {} runs from the next boot on\n", choice.verb, arguments[0]);
  return 0;
}

// For `switch_console`. Nobody may be there to read what it says: the consoles show it.
int swap_console(const Arguments& arguments) {
  expect_words(arguments, 1, 1, "ros console swap");
  require_root();
  try {
    swap_for_good(kConsole, arguments[0]);
  } catch (const std::exception& error) {
    announce_error(error.what());
    throw;
  }
  return 0;
}

bool wants_help(const Arguments& arguments, const char* help) {
  const bool asked =
      std::ranges::count(arguments, "--help") > 0 || std::ranges::count(arguments, "-h") > 0;
  if (arguments.empty() || asked) std::fputs(help, asked ? stdout : stderr);
  return arguments.empty() || asked;
}

}  // namespace

int console_verb(const Arguments& arguments) {
  if (wants_help(arguments, kConsoleHelp)) return arguments.empty() ? 2 : 0;
  const Arguments rest{arguments.begin() + 1, arguments.end()};
  if (arguments[0] == "list") return list(kConsole, rest);
  if (arguments[0] == "switch") return switch_to(kConsole, rest);
  if (arguments[0] == "enable") return enable(kConsole, rest);
  if (arguments[0] == "swap") return swap_console(rest);
  unknown_word("ros console", arguments[0], {"list", "switch", "enable"});
}

int engine_verb(const Arguments& arguments) {
  if (wants_help(arguments, kEngineHelp)) return arguments.empty() ? 2 : 0;
  const Arguments rest{arguments.begin() + 1, arguments.end()};
  if (arguments[0] == "list") return list(kEngine, rest);
  if (arguments[0] == "switch") return switch_to(kEngine, rest);
  if (arguments[0] == "enable") return enable(kEngine, rest);
  if (arguments[0] == "create") return create_inner_engine(rest);
  if (arguments[0] == "rm") return remove_inner_engine(rest);
  unknown_word("ros engine", arguments[0], {"list", "switch", "enable", "create", "rm"});
}

}  // namespace ros
