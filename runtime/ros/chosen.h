// Which console and which engine run: the system's own, or one out of an OCI image.
//
// The configuration chooses, for each boot; an image that system Docker does not have then leaves
// the system's own in its place. What runs since, also after a switch, is written in
// /run/ros/chosen, so that `ros sysinit` may start the service anew at any time.
#pragma once

#include <string>
#include <vector>

#include "runtime/ros/services.h"

namespace ros {

struct Choice {
  const char* verb;  // of `ros`
  const char* service;
  const char* key;
  const char* own;  // the value that means the system's own
};

inline constexpr Choice kConsole{"console", "console", "rancher.console", "default"};
inline constexpr Choice kEngine{"engine", "docker", "rancher.docker.engine", "docker"};

inline constexpr const char* kChosenFolder = "/run/ros/chosen";
// The image of a console's container, by this label.
inline constexpr const char* kConsoleLabel = "io.rancher.os.console";
// Environment of a container of the service `docker` that has an engine of its own.
inline constexpr const char* kEngineVariable = "ROS_ENGINE";

// The image that the configuration chooses for the service, "" for the system's own.
std::string chosen_image(const Config& config, const std::string& service);

// Throws Error (kind usage) that names the image to take instead for "docker-17.12.1-ce" and the
// like, the old system's names of engines.
void refuse_old_engine(const Choice& choice, const std::string& name);

// The service `console` or `docker` as it runs out of `image`. A console keeps what is done in it,
// under a name of its own.
Service from_image(Service own, const std::string& image);

// The service as it runs in this boot; decided at its first start. Any other service is returned as
// it is.
Service as_chosen(const Service& service);

// services_of with as_chosen.
std::vector<Service> running_services(const Config& config, std::vector<std::string>& problems);

}  // namespace ros
