// Debian packages as trees. A .deb is an ar archive with control.tar.* and
// data.tar.*; unpacking stores the bytes of its files once, with an index of
// the entries, so that every file of the package is a range of one cached file.
#pragma once

#include <string>

#include "builder/os/tree.h"

namespace rosbuild {

// Makes the folder `out` with the content, an index and control. Throws ros::Error
// naming `deb` when it is no package, is truncated, or tries to leave its root
// (absolute paths, "..").
void unpack_deb(const fs::path& deb, const fs::path& out);

// The files of an unpacked package; the folder must outlive the tree. Hard
// links are equal files, "./" is stripped, owners and times are the package's.
Tree read_package(const fs::path& unpacked);

// The package's control file ("Package: bash\nVersion: …").
std::string read_control(const fs::path& unpacked);
// One field of a control paragraph; empty when absent.
std::string control_field(const std::string& control, const std::string& name);

}  // namespace rosbuild
