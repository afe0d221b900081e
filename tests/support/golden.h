// Golden files: what an artifact holds, as text that a person can review.
#pragma once

#include <string>

#include "tests/support/paths.h"

namespace proof {

// The text is that of tests/golden/NAME. With ROSBUILD_ACCEPT=1 it becomes that, and the test
// counts as skipped, so that such a run proves nothing.
void check_golden(const std::string& name, const std::string& text);

}  // namespace proof
