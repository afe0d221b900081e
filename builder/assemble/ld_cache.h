// /etc/ld.so.cache without running ldconfig: the "glibc-ld.so.cache1.1" format
// (sysdeps/generic/dl-cache.h of glibc), so that a foreign architecture works
// and two builds write the same bytes.
#pragma once

#include <string>

#include "builder/os/tree.h"

namespace rosbuild {

// The cache of every shared library (by its SONAME and file name) in the
// standard folders of `root`: usr/local/lib, usr/lib and their MULTIARCH folders.
// `arch` is "amd64" or "arm64".
std::string make_ld_cache(const Tree& root, const std::string& arch);

// Whether `tree` has anything that belongs into the cache.
bool has_libraries(const Tree& tree, const std::string& arch);

}  // namespace rosbuild
