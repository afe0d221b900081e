// Where the kernel shows itself; tests point these at folders of their own.
#pragma once

#include "runtime/base/file.h"

namespace ros {

struct Paths {
  fs::path proc{"/proc"};
  fs::path sys{"/sys"};
  fs::path dev{"/dev"};
};

}  // namespace ros
