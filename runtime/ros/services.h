// The system services of the configuration, as containers to be.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/load.h"
#include "runtime/engine/docker.h"
#include "runtime/ros/compose.h"

namespace ros {

struct Service {
  std::string name;
  std::string container;  // name of its container
  ContainerSpec spec;
  std::vector<std::string> after;  // services that must have been started before
  bool system = true;              // runs in system Docker, not in user Docker
  bool wait_for_end = false;       // others wait until it has ended (detach: "false")
  bool create_only = false;
  bool rebuild = false;            // a new container at each boot
  bool restart = false;            // started again when it ends
  bool restart_if_failed = false;  // the same, unless its status was 0; spec.most_restarts counts
  bool reload_config = false;      // what it wrote counts: the services are read again
  bool on_demand = false;          // only for others that name it
  std::string schedule;            // when it runs, in the words of crontab(5)
  Build build;                     // how its image is made when there is none
  Value files;                     // its entries of write_files
  std::string chosen;              // image that the configuration puts in its place (chosen.h)
  bool persistent = false;         // its container stays, whatever becomes of the definition

  const char* engine() const { return system ? kSystemDocker : kUserDocker; }
};

// Annotation of a container: those with the same value share one shim of containerd, 4 MB each
// otherwise (containerd: runtime/v2/runc/manager).
inline constexpr const char* kShimGroup = "io.containerd.runc.v2.group";
inline constexpr const char* kSystemImage = "rancher/os:latest";

// Every service that is not switched off, in an order that respects after and before; a cycle is
// broken and named in `problems`. The console gets the folders of `mounts`. One that is made on
// demand is there when another one names it. An agent of a hypervisor is on where its hypervisor
// and its program are, unless the configuration says otherwise.
std::vector<Service> services_of(const Config& config, std::vector<std::string>& problems,
                                 const fs::path& root = "/");

}  // namespace ros
