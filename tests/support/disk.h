// Partitions of a disk image, as sfdisk sees them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/paths.h"

namespace proof {

struct Partition {
  std::string name;
  std::string type;  // GUID; in an MBR hexadecimal, and the name is empty
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// A raw copy (sparse) of a disk image, in `folder`; `format` is qemu-img's, or "zip" with a raw
// one.
fs::path raw_copy(const fs::path& image, const std::string& format, const fs::path& folder);
std::vector<Partition> partitions(const fs::path& raw);
// The one with this name; fails the test when there is none.
Partition partition(const fs::path& raw, const std::string& name);
// "image?offset=N", as e2fsck and debugfs take it.
std::string ext4_name(const fs::path& raw, const Partition& partition);
// The bytes of a partition as a file of their own, for tools that know no offset.
fs::path extract(const fs::path& raw, const Partition& partition, const fs::path& folder);

}  // namespace proof
