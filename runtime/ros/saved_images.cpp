#include "runtime/ros/saved_images.h"

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/catalogue.h"
#include "runtime/ros/containers.h"
#include "runtime/ros/preload.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

constexpr const char* kSystemFolder = "system-docker";
constexpr const char* kUserFolder = "docker";

// The same service, run out of another image.
Service with_image(Service service, const std::string& image) {
  if (image == service.spec.image) return service;
  service.spec.image = image;
  service.build = {};
  return service;
}

}  // namespace

SavedImages gather_images(Config config) {
  std::vector<std::string> problems;
  for (const auto& name : include_services(config, Reach::missing, problems))
    problems.push_back("the definition of service " + name + " cannot be fetched now");
  const auto services = services_of(config, problems);
  SavedImages images;
  for (const auto& service : services)
    for (const auto& image : {service.spec.image, service.chosen}) {
      if (image.empty()) continue;
      const Service wanted = with_image(service, image);
      try {
        if (!has_image(Docker{service.engine()}, wanted)) provide_image(wanted, {});
        if (image != kSystemImage)
          images[service.system ? kSystemFolder : kUserFolder].insert(image);
      } catch (const std::exception& error) {
        problems.emplace_back(error.what());
      }
    }
  if (!problems.empty())
    throw Error{join(problems, "\n")}.hint("without --save they are not needed");
  return images;
}

void save_images(const SavedImages& images, const fs::path& state) {
  for (const auto& [folder, names] : images) {
    const fs::path archive =
        state / fs::path{kPreloadFolder}.relative_path() / folder / "saved.tar";
    fs::create_directories(archive.parent_path());
    const char* socket = folder == kSystemFolder ? kSystemDocker : kUserDocker;
    std::vector<std::string> argv{"docker", "-H",       std::string{"unix://"} + socket,
                                  "save",   "--output", archive.string()};
    argv.insert(argv.end(), names.begin(), names.end());
    run_program(argv);
  }
  if (!fs::exists(kCatalogueCache)) return;
  const fs::path cache = state / fs::path{kCatalogueCache}.relative_path();
  fs::create_directories(cache.parent_path());
  run_program({"cp", "-a", kCatalogueCache, cache.parent_path().string()});
}

}  // namespace ros
