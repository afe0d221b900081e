// The stages of a boot for people: as a table with bars, as a picture, as JSON.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/timeline.h"

namespace ros {

std::string timeline_text(const std::vector<Stage>& stages);
std::string timeline_svg(const std::vector<Stage>& stages);
std::string timeline_json(const std::vector<Stage>& stages);

}  // namespace ros
