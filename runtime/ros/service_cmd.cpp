// `ros service`: the system services, which are containers of system Docker.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/services.h"
#include "runtime/ros/supervisor.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr const char* kHelp =
    "usage: ros service list                       every service of the configuration\n"
    "       ros service ps                         their containers\n"
    "       ros service logs [-f] [--lines N] NAME\n"
    "       ros service restart [-t SECONDS] NAME...\n"
    "       ros service stop [-t SECONDS] NAME...  until it is started, or the next boot\n"
    "       ros service start NAME...\n";

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i + 1 < row.size() ? fmt::format("{:<{}}  ", row[i], widths[i]) : row[i];
    }
    print(line + "\n");
  }
}

const Service& find_service(const std::vector<Service>& services, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& service : services) {
    if (service.name == name) return service;
    names.push_back(service.name);
  }
  unknown_word("ros service", name, names);
}

// SECONDS of -t, which is taken out of `arguments`.
int take_number(Arguments& arguments, std::initializer_list<std::string_view> names,
                int otherwise) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (std::find(names.begin(), names.end(), arguments[i]) == names.end()) continue;
    int number = 0;
    const std::string text = i + 1 < arguments.size() ? arguments[i + 1] : "";
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc{} || end != text.data() + text.size() || number < 0) {
      throw Error{arguments[i] + " needs a number", Error::Kind::usage};
    }
    arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(i),
                    arguments.begin() + static_cast<std::ptrdiff_t>(i) + 2);
    return number;
  }
  return otherwise;
}

int list(const Config& config, const std::vector<Service>& services) {
  if (const Value* table = config.find("rancher.services")) {
    for (const auto& member : table->members()) {
      const bool on = std::any_of(services.begin(), services.end(), [&](const Service& service) {
        return service.name == member.first;
      });
      print(fmt::format("{:<9} {}\n", on ? "enabled" : "disabled", member.first));
    }
  }
  return 0;
}

int ps(const std::vector<Service>& services) {
  const auto containers = Docker{kSystemDocker}.list(true);
  std::vector<std::vector<std::string>> rows{{"NAME", "STATE", "STATUS", "CONTAINER", "IMAGE"}};
  for (const auto& service : services) {
    if (!service.system) continue;
    const auto found = std::find_if(containers.begin(), containers.end(), [&](const auto& item) {
      return item.name == service.container;
    });
    if (found == containers.end()) {
      rows.push_back({service.name, "absent", "-", "-", service.spec.image});
    } else {
      rows.push_back(
          {service.name, found->state, found->status, found->id.substr(0, 12), found->image});
    }
  }
  print_table(rows);
  return 0;
}

int logs(Arguments names, const std::vector<Service>& services) {
  const int lines = take_number(names, {"--lines", "-n"}, 100);
  const bool follow = std::erase_if(names, [](const std::string& argument) {
                        return argument == "-f" || argument == "--follow";
                      }) > 0;
  if (names.size() != 1) throw Error{"ros service logs needs one NAME", Error::Kind::usage};
  const Service& service = find_service(services, names[0]);
  Docker{service.system ? kSystemDocker : kUserDocker}.logs(
      service.container, follow, lines, [](int stream, std::string_view bytes) {
        write_all(stream == 2 ? STDERR_FILENO : STDOUT_FILENO, bytes);
      });
  return 0;
}

// stop: the mark tells the supervisor that this is wanted.
int change(const std::string& verb, Arguments names, const std::vector<Service>& services) {
  const int seconds = take_number(names, {"-t", "--timeout"}, 10);
  if (names.empty()) {
    throw Error{fmt::format("ros service {} needs a NAME", verb), Error::Kind::usage};
  }
  for (const auto& name : names) find_service(services, name);
  for (const auto& name : names) {
    const Service& service = find_service(services, name);
    const Docker docker{service.system ? kSystemDocker : kUserDocker};
    const fs::path mark = fs::path{kStoppedFolder} / name;
    if (verb != "start") {
      write_file(mark, "");
      docker.stop(service.container, seconds);
    }
    if (verb != "stop") {
      fs::remove(mark);
      docker.start(ensure_container(docker, service));
    }
  }
  return 0;
}

}  // namespace

int service_verb(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    print(kHelp);
    return arguments.empty() ? 2 : 0;
  }
  const std::string& verb = arguments[0];
  const std::vector<std::string> verbs{"list", "ps", "logs", "restart", "stop", "start"};
  if (std::find(verbs.begin(), verbs.end(), verb) == verbs.end()) {
    unknown_word("ros service", verb, verbs);
  }
  require_root();
  const Config config = load_config();
  std::vector<std::string> problems;
  const auto services = running_services(config, problems);
  const Arguments rest{arguments.begin() + 1, arguments.end()};
  if (verb == "list") return list(config, services);
  if (verb == "ps") return ps(services);
  if (verb == "logs") return logs(rest, services);
  return change(verb, rest, services);
}

}  // namespace ros
