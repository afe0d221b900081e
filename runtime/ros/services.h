// The system services of the configuration, as containers to be.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/load.h"
#include "runtime/engine/docker.h"

namespace ros {

struct Service {
  std::string name;
  std::string container;  // name of its container
  ContainerSpec spec;
  std::vector<std::string> after;  // services that must have been started before
  bool system = true;              // runs in system Docker, not in user Docker
  bool wait_for_end = false;       // others wait until it has ended (detach: "false")
  bool create_only = false;
  bool rebuild = false;     // a new container at each boot
  bool restart = false;     // started again when it ends
  Value files;              // its entries of write_files
  std::string chosen;       // image that the configuration puts in its place (chosen.h)
  bool persistent = false;  // its container stays, whatever becomes of the definition
};

inline constexpr const char* kSystemImage = "rancher/os:latest";
inline constexpr const char* kHashLabel = "io.rancher.os.hash";

// Every service that is not switched off, in an order that respects after and before; a cycle is
// broken and named in `problems`. The console gets the folders of `mounts`.
std::vector<Service> services_of(const Config& config, std::vector<std::string>& problems);

// Makes the container that `service` describes, or keeps the one that is there
// when it is the same; returns its id. The image's id is part of what "same" means. Unless it
// runs, its files are written anew.
std::string ensure_container(const Docker& docker, Service service);

}  // namespace ros
