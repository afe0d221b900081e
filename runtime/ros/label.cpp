#include "runtime/ros/label.h"

#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "runtime/base/file.h"

namespace ros {

std::string find_by_label(std::string_view label) {
  std::vector<std::string> names;
  boost::system::error_code ignored;
  for (fs::directory_iterator it{"/sys/class/block", ignored}, end; it != end;
       it.increment(ignored)) {
    const auto name = it->path().filename().string();
    // Memory disks hold nothing, and asking a floppy drive takes seconds.
    if (name.starts_with("ram") || name.starts_with("loop") || name.starts_with("fd")) continue;
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  const std::string wanted{label};
  for (const auto& name : names) {
    const std::string path = "/dev/" + name;
    const Fd device{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};  // not a drive without a medium
    if (!device) continue;
    const std::string found = label_of([&](off_t offset, std::size_t size) {
      std::string bytes(size, '\0');
      const auto count = ::pread(device.get(), bytes.data(), size, offset);
      bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
      return bytes;
    });
    if (!found.empty() && ::strcasecmp(found.c_str(), wanted.c_str()) == 0) return path;
  }
  return {};
}

}  // namespace ros
