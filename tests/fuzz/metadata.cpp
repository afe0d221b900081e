// What metadata services say. The first line names the service; each document stands
// below a line "=== NAME", as runtime/ros/metadata.h names it.
#include "runtime/ros/metadata.h"

#include "runtime/base/text.h"
#include "runtime/ros/mime.h"
#include "tests/fuzz/network_check.h"

namespace {

ros::Documents documents_of(std::string_view text) {
  ros::Documents documents;
  std::string* document = nullptr;
  while (!text.empty()) {
    const std::string_view line = ros::take_line(text);
    if (line.starts_with("=== ")) {
      document = &documents[std::string{line.substr(4)}];
    } else if (document) {
      document->append(line) += '\n';
    }
  }
  return documents;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text{reinterpret_cast<const char*>(data), size};
  const std::string_view name = ros::take_line(text);
  for (const auto& service : ros::metadata_services()) {
    if (service.name != name) continue;
    const auto documents = documents_of(text);
    std::vector<ros::Complaint> complaints;
    const ros::UserData given = service.read(documents, complaints);
    const auto& hostname = given.metadata.hostname;
    if (!hostname.empty() && !fuzz::is_word(hostname)) fuzz::fail("host name", hostname);
    for (const auto& key : given.metadata.ssh_keys) {
      if (key.find('\n') != std::string::npos) fuzz::fail("key", key);
    }
    fuzz::check_network(given.network);
    for (const auto& [document, content] : documents) {
      for (const auto& entry : ros::listed_keys(content)) {
        if (!fuzz::is_word(entry)) fuzz::fail("folder of a key", entry);
      }
    }
  }
  return 0;
}
