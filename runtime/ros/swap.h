// Putting another console or engine in the place of the one that runs.
#pragma once

#include <string>

#include "runtime/ros/chosen.h"

namespace ros {

// Pulls the image through system Docker (`pull`; otherwise it has to be there) and starts `ros` in
// it, which says whether it has what a console or an engine needs. Changes nothing that runs;
// throws Error that says what is wrong. Returns what the engine says of its version.
std::string fetch_and_try(const Choice& choice, const std::string& image, bool pull);

// Stops what runs and starts `image` ("": the system's own). When that does not get as far as
// serving, what ran before is started again and Error says why.
void swap(const Choice& choice, const std::string& image);

// For `ros sysinit`, once there is a network: fetches what the configuration chooses, when
// something else runs since it was not there. Says on the consoles what came of it.
void fetch_chosen(const Choice& choice);

}  // namespace ros
