// Where the tests find what they test. `make` builds it; a hand-started test can
// be pointed elsewhere with ROSBUILD_OUT and ROSBUILD.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/file.h"

namespace proof {

namespace fs = ros::fs;

// A built artifact: artifact("vmware", "rancheros.vmdk"). Fails the test when it is absent.
fs::path artifact(const std::string& platform, const std::string& name);
fs::path output_folder();     // holds one folder per platform
fs::path rosbuild_program();  // the rosbuild under test
std::string release();        // the distribution's version, out of recipes/distribution.yaml

// Runs a program to its end; fails the test, showing the output, unless it exits 0.
std::string check_output(const std::vector<std::string>& argv);

}  // namespace proof
