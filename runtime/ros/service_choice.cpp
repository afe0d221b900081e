#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/ros/catalogue.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/containers.h"
#include "runtime/ros/options.h"
#include "runtime/ros/service_verbs.h"

namespace ros {

void say(const std::string& line) { fmt::print(stderr, "{}\n", line); }

void expect_names(const Arguments& names, const std::string& verb, std::size_t least) {
  expect_words(names, least, std::max<std::size_t>(names.size(), least), "ros service " + verb);
}

Config included_config() {
  Config config = load_config();
  std::vector<std::string> problems;
  include_services(config, Reach::here, problems);
  for (const auto& problem : problems) say("ros: " + problem);
  return config;
}

Services services_now() {
  std::vector<std::string> said_at_boot;
  return running_services(included_config(), said_at_boot);
}

std::vector<Container> user_containers(const std::string& label) {
  try {
    return Docker{kUserDocker}.list(true, label);
  } catch (const Error&) {
    return {};
  }
}

Services services_left(const Services& services) {
  Services left;
  for (const bool system : {true, false}) {
    for (const auto& container : system ? Docker{kSystemDocker}.list(true, kServiceLabel)
                                        : user_containers(kServiceLabel)) {
      Service service;
      service.name = container.labels.at(kServiceLabel);
      service.container = container.name;
      service.system = system;
      service.spec.image = container.image;
      if (std::ranges::count(services, service.name, &Service::name) == 0) left.push_back(service);
    }
  }
  return left;
}

Services choose(const Arguments& names, const Services& services, Left left) {
  if (names.empty()) return services;
  Services known = services;
  if (left == Left::found) {
    for (auto& service : services_left(services)) known.push_back(std::move(service));
  }
  std::vector<std::string> all;
  for (const auto& service : known) all.push_back(service.name);
  Services chosen;
  for (const auto& name : names) {
    if (std::ranges::count(all, name) > 0) continue;
    std::vector<std::string> ignored;
    const auto offered = Catalogue{load_config()}.names(ignored);
    if (std::ranges::count(offered, name) > 0)
      throw Error{fmt::format("service {} is not switched on", name), Error::Kind::usage}.hint(
          "ros service enable " + name);
    unknown_word("ros service", name, all);
  }
  std::ranges::copy_if(known, std::back_inserter(chosen), [&](const Service& service) {
    return std::ranges::count(names, service.name) > 0;
  });
  return chosen;
}

}  // namespace ros
