#include "tests/support/disk.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace proof {

fs::path raw_copy(const fs::path& image, const std::string& format, const fs::path& folder) {
  const fs::path raw = folder / "disk.img";
  if (format == "zip")
    check_output({"sh", "-c", "bsdtar -xOf \"$0\" | cp --sparse=always /dev/stdin \"$1\"",
                  image.string(), raw.string()});
  else
    check_output({"qemu-img", "convert", "-f", format, "-O", "raw", image.string(), raw.string()});
  return raw;
}

std::vector<Partition> partitions(const fs::path& raw) {
  const auto table = nlohmann::json::parse(check_output({"sfdisk", "--json", raw.string()}));
  std::vector<Partition> result;
  for (const auto& entry : table["partitiontable"]["partitions"])
    result.push_back({.name = entry.value("name", ""),
                      .type = entry.value("type", ""),
                      .offset = entry["start"].get<std::uint64_t>() * 512,
                      .size = entry["size"].get<std::uint64_t>() * 512});
  return result;
}

Partition partition(const fs::path& raw, const std::string& name) {
  for (auto& candidate : partitions(raw))
    if (candidate.name == name) return candidate;
  FAIL("no partition is named " << name);
  return {};
}

std::string ext4_name(const fs::path& raw, const Partition& partition) {
  return fmt::format("{}?offset={}", raw.string(), partition.offset);
}

fs::path extract(const fs::path& raw, const Partition& partition, const fs::path& folder) {
  const fs::path path = folder / (partition.name + ".img");
  check_output({"dd", "if=" + raw.string(), "of=" + path.string(), "bs=1M", "status=none",
                "conv=sparse", "iflag=skip_bytes,count_bytes",
                fmt::format("skip={}", partition.offset), fmt::format("count={}", partition.size)});
  return path;
}

}  // namespace proof
