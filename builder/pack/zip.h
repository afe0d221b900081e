// A file -> a zip archive that holds it alone (PKWARE, APPNOTE.TXT 6.3), with
// the fields of Zip64 where its size asks for them. Time 1980-01-01, mode 0644.
#pragma once

#include "builder/pack/deflate.h"

namespace rosbuild {

// `name`: of the file inside. Holes are not read. Throws ros::Error.
void write_zip(const fs::path& file, const std::string& name, const fs::path& out,
               const DeflateOptions& options);

}  // namespace rosbuild
