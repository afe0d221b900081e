// Engines inside containers of user Docker, for those who want several.
#pragma once

#include "runtime/ros/verbs.h"

namespace ros {

int create_inner_engine(Arguments arguments);  // `ros engine create`
int remove_inner_engine(Arguments arguments);  // `ros engine rm`

}  // namespace ros
