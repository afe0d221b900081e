#include "runtime/init/b2d.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "runtime/base/fd.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

constexpr std::string_view kMagic = "boot2docker, please format-me";
constexpr std::size_t kTarSize = 8192;
constexpr std::size_t kMiB = 1 << 20;
constexpr std::size_t kBlock = 512;  // of a tar (POSIX ustar)

std::string_view until_nul(std::string_view field) { return field.substr(0, field.find('\0')); }

bool zeros(std::string_view bytes) { return bytes.find_first_not_of('\0') == bytes.npos; }

}  // namespace

bool is_b2d_disk(const fs::path& disk) {
  try {
    const Fd fd = open_file(disk.string(), O_RDONLY);
    const auto size = ::lseek(fd.get(), 0, SEEK_END);
    if (size < static_cast<off_t>(2 * kMiB)) return false;
    const std::string first = read_at(fd.get(), 0, kMiB);
    return first.starts_with(kMagic) && zeros(std::string_view{first}.substr(kTarSize)) &&
           zeros(read_at(fd.get(), static_cast<std::uint64_t>(size) - kMiB, kMiB));
  } catch (const std::exception&) {
    return false;
  }
}

std::string b2d_tar(const fs::path& disk) {
  return read_at(open_file(disk.string(), O_RDONLY).get(), 0, kTarSize);
}

std::vector<std::string> b2d_keys(std::string_view tar) {
  std::vector<std::string> keys;
  for (std::size_t at = 0; at + kBlock <= tar.size();) {
    const auto header = tar.substr(at, kBlock);
    const auto name = until_nul(header.substr(0, 100));
    const auto digits = trim(until_nul(header.substr(124, 12)));
    std::size_t size = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 8);
    if (name.empty() || code != std::errc{} || size > tar.size() - at - kBlock) break;
    if (name.find(".ssh/") != name.npos &&
        (name.ends_with("authorized_keys") || name.ends_with(".pub")))
      for (const auto& line : split(tar.substr(at + kBlock, size), '\n')) {
        const std::string key{trim(line)};
        if (!key.empty() && std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
      }
    at += kBlock + (size + kBlock - 1) / kBlock * kBlock;
  }
  return keys;
}

void write_machine_config(const std::vector<std::string>& keys, const fs::path& conf) {
  if (keys.empty()) return;
  std::string text = "#cloud-config\nssh_authorized_keys:\n";
  for (const auto& key : keys)
    text += "  - \"" + replace_all(replace_all(key, "\\", "\\\\"), "\"", "\\\"") + "\"\n";
  fs::create_directories(conf / "cloud-config.d");
  write_file_atomically(conf / "cloud-config.d/machine.yml", text, 0600);
}

}  // namespace ros
