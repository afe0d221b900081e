// Finding a block device by the label of its file system.
#pragma once

#include <string>
#include <string_view>

namespace ros {

// The label of an ISO 9660, ext2/3/4 or FAT file system image, "" when it has
// none or is something else. `read(offset, size)` gives bytes or less.
template <class Read>
std::string label_of(Read read) {
  const auto trimmed = [](std::string text) {
    text.resize(std::string_view{text}.find('\0') == std::string_view::npos ? text.size()
                                                                            : text.find('\0'));
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
  };
  const std::string start = read(0, 2048);
  if (start.size() == 2048) {
    if (start.substr(1024 + 56, 2) == "\x53\xef") return trimmed(start.substr(1024 + 120, 16));
    if (start.substr(510, 2) == "\x55\xaa") {
      if (start.substr(82, 5) == "FAT32") return trimmed(start.substr(71, 11));
      if (start.substr(54, 3) == "FAT") return trimmed(start.substr(43, 11));
    }
  }
  const std::string volume = read(32768, 80);
  if (volume.size() == 80 && volume.substr(1, 5) == "CD001") return trimmed(volume.substr(40, 32));
  return {};
}

// "/dev/…" of the first device with one of the labels (case counts not), or "".
// Reads the devices that are there now; does not wait.
std::string find_by_label(std::string_view label);

}  // namespace ros
