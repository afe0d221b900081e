// Services as containers: what makes a Service one, and finds out what became of it.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "runtime/engine/docker.h"
#include "runtime/ros/services.h"

namespace ros {

inline constexpr const char* kHashLabel = "io.rancher.os.hash";
inline constexpr const char* kServiceLabel = "io.rancher.os.service";  // its name

// The system's own image is always there, and nobody is asked for it.
bool has_image(const Docker& docker, const Service& service);

// The command `docker` for system Docker.
std::vector<std::string> system_docker(std::initializer_list<std::string> arguments);
// Pulls into system Docker, and shows how it goes. An image that is here will do when it cannot be
// pulled. Throws Error (kind network).
void fetch_image(const std::string& reference);

struct ImageOptions {
  bool quiet = false;     // says something only when it fails
  bool no_cache = false;  // the rest is of `docker build`
  bool force_rm = false;
  bool pull = false;  // newer versions of what it is built from
};
// Builds the service's image, or pulls it, with the command `docker`: it knows the credentials of
// registries. Throws Error.
void build_image(const Service& service, const ImageOptions& options);
void pull_image(const Service& service, const ImageOptions& options);
void provide_image(const Service& service, const ImageOptions& options);  // the one or the other

// Is its container another one than the definition and the image would make?
bool is_outdated(const Docker& docker, const Service& service);

// Makes the container that `service` describes, or keeps the one that is there when it is the same,
// or when it runs; starts it, unless it is create-only. Returns its id. The image's id is part of
// what "same" means. Unless it runs, its files are written anew. One caller at a time.
std::string ensure_container(const Docker& docker, const Service& service);
std::string ensure_started(const Docker& docker, const Service& service);

// Removes ended containers of system Docker whose service `services` has no more, and images that
// no service and no container uses. Returns what was removed.
std::vector<std::string> collect_containers(const Docker& docker,
                                            const std::vector<Service>& services);

}  // namespace ros
