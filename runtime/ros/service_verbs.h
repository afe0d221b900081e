// What the files of `ros service` share: the choice of services by name, their logs, and the verbs
// that change what services do. Each verb takes what follows it, returns the exit status and may
// throw Error.
#pragma once

#include <string>
#include <vector>

#include "runtime/engine/docker.h"
#include "runtime/ros/services.h"
#include "runtime/ros/verbs.h"

namespace ros {

using Services = std::vector<Service>;

void say(const std::string& line);  // on stderr

// What is left of the arguments must be names, `least` of them or more.
void expect_names(const Arguments& names, const std::string& verb, std::size_t least);

// With the definitions that are on this box of what services_include names.
Config included_config();
Services services_now();

// None while user Docker does not serve: its socket may be there all the same.
std::vector<Container> user_containers(const std::string& label = {});
// Containers of services that the configuration has no more.
Services services_left(const Services& services);

enum class Left { ignored, found };
// The services of these names, in their order; all when there are none. Throws Error with a
// suggestion.
Services choose(const Arguments& names, const Services& services, Left left = Left::ignored);

// Of several, one after the other, or all at once when there is no end to wait for.
void show_logs(const Services& services, bool follow, int lines);

int service_up(const std::string& verb, Arguments names);  // start and create, too
int service_restart(Arguments names);
int service_stop(const std::string& verb, Arguments names);  // rm and down, too
int service_kill(Arguments names);
int service_pull(Arguments names);
int service_build(Arguments names);

}  // namespace ros
