// The network documents of clouds. The first line names the kind, the rest is the document.
#include "runtime/base/error.h"
#include "runtime/ros/network_data.h"
#include "tests/fuzz/network_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text{reinterpret_cast<const char*>(data), size};
  const std::string_view kind = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(kind.size() + 1, text.size()));
  std::vector<std::string> problems;
  if (kind == "cloud-init") {
    try {
      fuzz::check_network(ros::network_of_cloud_init(ros::parse_yaml(text, "f"), problems));
    } catch (const ros::Error&) {  // no YAML
    }
    return 0;
  }
  const auto document = ros::parse_json(text);
  if (!document) return 0;
  if (kind == "openstack") fuzz::check_network(ros::network_of_openstack(*document, problems));
  if (kind == "digitalocean")
    fuzz::check_network(ros::network_of_digitalocean(*document, problems));
  if (kind == "packet") fuzz::check_network(ros::network_of_packet(*document, problems));
  return 0;
}
