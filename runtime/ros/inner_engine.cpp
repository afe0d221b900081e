#include "runtime/ros/inner_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/engine/docker.h"
#include "runtime/ros/options.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

constexpr const char* kFolder = "/var/lib/rancher/engines";
constexpr const char* kLabel = "io.rancher.user_docker.name";
constexpr const char* kImage = "docker:dind";
constexpr const char* kKeys = "authorized_keys";

void check_name(const std::string& name) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; };
  if (name.empty() || !std::isalnum(static_cast<unsigned char>(name[0])) ||
      !std::ranges::all_of(name, fits))
    throw Error{fmt::format("{} is no name for an engine", name), Error::Kind::usage}.hint(
        "letters, digits, - and _");
}

fs::path command_of(const std::string& name) { return "/opt/bin/docker-" + name; }

bool is_inner_engine(const std::string& name) {
  const auto all = Docker{kUserDocker}.list(true, kLabel);
  return std::ranges::any_of(all, [&](const Container& item) { return item.name == name; });
}

}  // namespace

int create_inner_engine(Arguments arguments) {
  std::string image = take_option(arguments, "-v", "--version");
  const std::string network = take_option(arguments, "", "--network");
  const std::string address = take_option(arguments, "", "--fixed-ip");
  constexpr int kLastPort = 65535;
  const int ssh_port = take_number(arguments, "", "--ssh-port", 0, kLastPort);
  const std::string keys = take_option(arguments, "", "--authorized-keys");
  expect_words(arguments, 1, 1, "ros engine create");
  const std::string& name = arguments[0];
  check_name(name);
  if (!address.empty() && network.empty())
    throw Error{"--fixed-ip needs --network", Error::Kind::usage}.hint(
        "docker network create --subnet 172.30.0.0/24 NET");
  require_root();
  if (image.empty()) image = kImage;
  const fs::path folder = fs::path{kFolder} / name;
  if (fs::exists(folder) || Docker{kUserDocker}.inspect(name))
    throw Error{fmt::format("there is a container or an engine {} already", name)}.hint(
        "ros engine rm " + name);
  const std::string authorized = keys.empty() ? std::string{} : read_file(keys);
  std::vector<std::string> argv{"docker",
                                "run",
                                "--detach",
                                "--privileged",
                                "--restart=always",
                                "--name",
                                name,
                                "--hostname",
                                name,
                                fmt::format("--label={}={}", kLabel, name),
                                fmt::format("--volume={}/data:/var/lib/docker", folder.string()),
                                fmt::format("--volume={}/run:/run/engine", folder.string())};
  if (!network.empty()) argv.push_back("--network=" + network);
  if (!address.empty()) argv.push_back("--ip=" + address);
  if (ssh_port > 0) argv.push_back(fmt::format("--publish={}:22", ssh_port));
  if (!keys.empty())
    argv.push_back(fmt::format("--volume={}/{}:/root/.ssh/{}:ro", folder.string(), kKeys, kKeys));
  argv.insert(argv.end(), {image, "dockerd", "--host=unix:///run/engine/docker.sock"});
  try {
    if (!keys.empty()) {
      fs::create_directories(folder);
      write_file_atomically(folder / kKeys, authorized, 0600);
    }
    fmt::print("{}\n", trim(run_program(argv)));
  } catch (...) {
    Docker{kUserDocker}.remove(name);  // docker makes it before it finds that it cannot start
    boost::system::error_code ignored;
    fs::remove_all(folder, ignored);
    throw;
  }
  write_file_atomically(
      command_of(name),
      fmt::format("#!/bin/sh\nexec docker -H unix://{}/run/docker.sock \"$@\"\n", folder.string()),
      0755);
  fmt::print(stderr, "{} speaks to it\n", command_of(name).string());
  return 0;
}

int remove_inner_engine(Arguments arguments) {
  const bool force = take_flag(arguments, "-f", "--force");
  const int seconds = take_number(arguments, "-t", "--timeout", 10);
  expect_words(arguments, 1, 1, "ros engine rm");
  const std::string& name = arguments[0];
  check_name(name);
  require_root();
  const fs::path folder = fs::path{kFolder} / name;
  if (!is_inner_engine(name) && !fs::exists(folder))
    throw Error{fmt::format("there is no engine {}", name), Error::Kind::usage}.hint(
        fmt::format("docker ps -a --filter label={}", kLabel));
  if (!force && !confirm(fmt::format("Remove engine {} with its containers and images?", name)))
    return 1;
  if (is_inner_engine(name)) {
    const Docker docker{kUserDocker};
    docker.stop(name, seconds);
    docker.remove(name);
  }
  fs::remove(command_of(name));
  fs::remove_all(folder);
  return 0;
}

}  // namespace ros
