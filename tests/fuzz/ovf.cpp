// An OVF environment, and guestinfo out of it; the same reader of XML serves Azure's goal state.
#include "runtime/ros/guestinfo.h"
#include "tests/fuzz/network_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> problems;
  const auto properties =
      ros::parse_ovf_environment({reinterpret_cast<const char*>(data), size}, problems);
  const auto given = ros::read_guestinfo(
      [&](const std::string& key) {
        const auto found = properties.find(key);
        // To start gzip for each input would be most of the time.
        const bool other = found == properties.end() || key.ends_with("encoding");
        return other ? std::string{} : found->second;
      },
      problems);
  if (given) fuzz::check_network(given->network);
  return 0;
}
