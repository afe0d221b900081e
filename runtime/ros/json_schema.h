// The table of keys (runtime/config/schema.h) as JSON Schema, for editors.
#pragma once

#include <string>

namespace ros {

// https://json-schema.org/draft-07/schema
std::string json_schema();

}  // namespace ros
