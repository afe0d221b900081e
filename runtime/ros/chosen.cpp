#include "runtime/ros/chosen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

// A name that Docker takes for a container.
std::string container_of(const std::string& image) {
  std::string name = "console-" + image;
  std::ranges::replace_if(
      name, [](unsigned char c) { return !std::isalnum(c) && c != '.' && c != '-'; }, '-');
  return name;
}

void share_ros(ContainerSpec& spec) {
  spec.entrypoint = {"/usr/bin/ros"};
  spec.user = "0:0";
  spec.working_dir = "/";
  spec.binds.insert(spec.binds.end(),
                    {"/usr/bin/ros:/usr/bin/ros:ro", "/usr/share/ros:/usr/share/ros:ro"});
}

}  // namespace

void refuse_old_engine(const Choice& choice, const std::string& name) {
  constexpr std::string_view kOld = "docker-";
  if (choice.service != std::string{kEngine.service} || !name.starts_with(kOld) ||
      name.find_first_of("/:@") != name.npos)
    return;
  const std::string version = name.substr(kOld.size());
  if (version.empty() || !std::isdigit(static_cast<unsigned char>(version[0]))) return;
  throw Error{name + " is the old system's name of an engine", Error::Kind::usage}.hint(
      fmt::format("its image is docker:{}-dind; the system's own is `docker`", version));
}

Service from_image(Service service, const std::string& image) {
  ContainerSpec& spec = service.spec;
  spec.image = image;
  share_ros(spec);
  if (service.name == kEngine.service) {
    spec.command = {"user-docker"};
    spec.environment.emplace_back(kEngineVariable, image);
    return service;
  }
  service.container = container_of(image);
  service.persistent = !service.rebuild;
  spec.command = {"console-init"};
  spec.labels[kConsoleLabel] = image;
  // Its /etc is the image's own; the system is at /host.
  std::erase_if(spec.binds, [](const std::string& bind) {
    const auto parts = split(bind, ':');
    return parts.size() > 1 && (parts[1] == "/etc" || parts[1] == "/root");
  });
  spec.binds.emplace_back("/:/host:rslave");
  return service;
}

Service as_chosen(const Service& service) {
  if (service.name != kConsole.service && service.name != kEngine.service) return service;
  const fs::path record = fs::path{kChosenFolder} / service.name;
  auto image = try_read_file(record);
  if (!image) {  // the first start of this boot
    image = service.chosen;
    if (!image->empty() && Docker{kSystemDocker}.image_id(*image).empty()) image->clear();
    write_file(record, *image);
  }
  return image->empty() ? service : from_image(service, *image);
}

std::vector<Service> running_services(const Config& config, std::vector<std::string>& problems) {
  auto services = services_of(config, problems);
  for (auto& service : services) service = as_chosen(service);
  return services;
}

}  // namespace ros
