// Reading a bbolt database, the file format of many of Docker's and containerd's stores
// (go.etcd.io/bbolt, page.go, bucket.go and db.go, format version 2).
#pragma once

#include <map>
#include <string>

#include "runtime/base/file.h"

namespace ros {

// The keys and values of one bucket of the root; nested buckets are left out. Empty
// when there is no such bucket. The file must not be written to meanwhile. Throws
// Error when it cannot be read or is no sound database.
std::map<std::string, std::string> read_bolt(const fs::path& path, const std::string& bucket);

}  // namespace ros
