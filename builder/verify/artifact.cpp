#include "builder/verify/artifact.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <zlib.h>

#include <map>
#include <memory>

#include "builder/verify/boot.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kGiB = 1 << 30;
constexpr std::uint64_t kSector = 512;

enum class Order { little, big };

std::uint64_t number(std::string_view bytes, std::size_t offset, std::size_t size, Order order) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value = value << 8 |
            static_cast<unsigned char>(bytes[offset + (order == Order::big ? i : size - 1 - i)]);
  return value;
}

class Examination {
 public:
  explicit Examination(const fs::path& path)
      : path_(path), fd_(ros::open_file(path.string(), O_RDONLY)), size_(fs::file_size(path)) {}

  Verdict run() {
    if (at(0, 2) == "\x1f\x8b")
      gzip();
    else if (at(0, 4) == "PK\3\4")
      zip();
    else if (at(257, 5) == "ustar")
      ova();
    else if (at(32769, 5) == "CD001")
      say("ISO, volume " + std::string(ros::trim(at(32808, 32))));
    else if (at(0x202, 4) == "HdrS" || at(0x38, 4) == "ARM\x64")
      say("kernel");
    else if (at(0, 4) == "\x28\xb5\x2f\xfd")
      say("initrd");
    else if (at(0, 7) == "#!ipxe\n")
      ipxe();
    else if (at(0, 64).find("\"spdxVersion\"") != std::string::npos)
      say("bill of materials");
    else
      disk();
    return std::move(verdict_);
  }

 private:
  void say(std::string what) { verdict_.what = std::move(what); }
  void require(bool holds, const std::string& rule) {
    if (!holds) verdict_.faults.push_back(rule);
  }
  // Fewer bytes, at the end of the file.
  std::string at(std::uint64_t offset, std::size_t size) const {
    if (offset >= size_) return {};
    return ros::read_at(fd_.get(), offset, std::min<std::uint64_t>(size, size_ - offset));
  }
  // Zeros follow the end of a file that is cut short.
  std::string block(std::uint64_t offset, std::size_t size) const {
    std::string bytes = at(offset, size);
    bytes.resize(size, '\0');
    return bytes;
  }

  void ipxe() {
    say("iPXE script");
    for (const auto& line : ros::split(at(0, size_), '\n')) {
      const auto words = ros::words(line);
      if (words.size() > 1 && (words[0] == "kernel" || words[0] == "initrd"))
        require(fs::exists(path_.parent_path() / words[1]), words[1] + " is not beside it");
    }
  }

  void disk_of(const std::string& format, std::uint64_t size) {
    say(fmt::format("{} of {} MiB", format, size / kMiB));
    require(size > 0 && size % kMiB == 0, fmt::format("{} bytes are not whole MiB", size));
  }

  void disk() {
    const std::string format = detect_format(path_);
    if (format == "qcow2")
      qcow2();
    else if (format == "vmdk")
      vmdk();
    else if (format == "vhdx")
      vhdx();
    else if (format == "vpc")
      vhd();
    else
      raw();
  }

  void raw() {
    if (at(510, 2) != "\x55\xaa") {
      say("unknown");
      require(false, "neither a disk, nor a medium, nor a part to boot");
      return;
    }
    disk_of("raw disk", size_);
    partitions();
  }

  void partitions() {
    require(at(510, 2) == "\x55\xaa", "no boot sector");
    require(at(kSector, 8) == "EFI PART", "no GPT");
  }

  void qcow2() {
    const std::string header = block(0, 72);
    const auto big = [&](std::size_t offset, std::size_t size) {
      return number(header, offset, size, Order::big);
    };
    disk_of("qcow2", big(24, 8));
    require(big(4, 4) == 2, "version is not 2, which the oldest importers read");
    require(big(8, 8) == 0, "it leans on a backing file");
    require(big(32, 4) == 0, "it is encrypted");
    require(big(60, 4) == 0, "it holds snapshots");
  }

  void vmdk() {
    const std::string header = block(0, kSector);
    const auto little = [&](std::size_t offset, std::size_t size) {
      return number(header, offset, size, Order::little);
    };
    disk_of("VMDK", little(12, 8) * kSector);
    require((little(8, 4) & 0x30000) == 0x30000 &&
                at(kSector, 4096).find("createType=\"streamOptimized\"") != std::string::npos,
            "it is not streamOptimized");
    require(size_ >= 3 * kSector && at(size_ - 2 * kSector, 4) == "KDMV", "the footer is missing");
  }

  // The footer's fields, once its checksum fits.
  void vhd() {
    std::string footer = block(size_ - kSector, kSector);
    const std::uint64_t size = number(footer, 48, 8, Order::big);
    const bool fixed = number(footer, 60, 4, Order::big) == 2;
    disk_of(fixed ? "fixed VHD" : "dynamic VHD", size);
    const std::uint64_t said = number(footer, 64, 4, Order::big);
    if (!fixed) require(at(0, kSector) == footer, "first and last footer differ");
    footer.replace(64, 4, std::string(4, '\0'));
    std::uint32_t sum = 0;
    for (const char byte : footer) sum += static_cast<unsigned char>(byte);
    require(said == static_cast<std::uint32_t>(~sum), "the footer's checksum is wrong");
    if (!fixed) return;
    require(size_ == size + kSector, "the file is not its disk and a footer");
    partitions();
  }

  void vhdx() {
    // The metadata table, at the place that the region table names.
    std::uint64_t metadata = 0;
    const std::string regions = block(192 << 10, 4096);
    for (std::size_t entry = 16; entry < 16 + 2 * 32; entry += 32)
      if (regions.substr(entry, 4) == "\x06\xa2\x7c\x8b")
        metadata = number(regions, entry + 16, 8, Order::little);
    const std::string table = block(metadata, 4096);
    std::uint64_t size = 0;
    for (std::size_t entry = 32; entry + 32 <= table.size(); entry += 32)
      if (table.substr(entry, 4) == "\x24\x42\xa5\x2f")
        size = number(block(metadata + number(table, entry + 16, 4, Order::little), 8), 0, 8,
                      Order::little);
    disk_of("VHDX", size);
    require(at(64 << 10, 4) == "head" && at(128 << 10, 4) == "head", "a header is missing");
    require(regions.starts_with("regi") && at(256 << 10, 4) == "regi", "a region table is missing");
    require(table.starts_with("metadata"), "the metadata are missing");
    for (const std::uint64_t header : {64 << 10, 128 << 10})
      require(at(header + 48, 16) == std::string(16, '\0'), "its log waits to be replayed");
  }

  void gzip() {
    const std::unique_ptr<gzFile_s, decltype(&gzclose)> file(gzopen(path_.c_str(), "rb"), gzclose);
    std::string header(kSector, '\0');
    if (!file || gzread(file.get(), header.data(), kSector) != static_cast<int>(kSector) ||
        header.substr(257, 5) != "ustar") {
      say("gzip");
      return require(false, "there is no tar archive in it");
    }
    if (!header.starts_with(std::string("disk.raw\0", 9))) return say("tar archive of a root");
    const std::string size = header.substr(483, 12);
    const std::uint64_t bytes = static_cast<unsigned char>(size[0]) == 0x80
                                    ? number(size, 4, 8, Order::big)
                                    : std::stoull("0" + size, nullptr, 8);
    disk_of("disk for Google's cloud", bytes);
    require(bytes % kGiB == 0, fmt::format("{} bytes are not whole GiB", bytes));
    require(header.substr(257, 8) == std::string("ustar  \0", 8), "it is not in GNU tar's format");
    require(header[156] == 'S', "it is not sparse");
  }

  void zip() {
    const std::string header = block(0, 4096);
    say("zip of " + header.substr(30, number(header, 26, 2, Order::little)));
    const std::string end = at(size_ - std::min<std::uint64_t>(size_, 22), 22);
    require(end.starts_with("PK\5\6"), "the end is missing");
    require(end.size() == 22 && number(end, 10, 2, Order::little) == 1,
            "it holds more than a disk");
  }

  void ova() {
    std::map<std::string, std::string> digests;  // by name
    std::vector<std::string> order;
    std::string manifest;
    std::uint64_t offset = 0;
    for (std::string header = block(0, kSector); header[0] != '\0';
         header = block(offset, kSector)) {
      const std::string name = header.c_str();
      const std::uint64_t size = std::stoull("0" + header.substr(124, 11), nullptr, 8);
      offset += kSector;
      order.push_back(fs::path(name).extension().string());
      if (order.back() == ".mf") manifest = at(offset, size);
      ros::Sha256 hash;
      for (std::uint64_t done = 0; done < size; done += kMiB)
        hash.update(at(offset + done, std::min(kMiB, size - done)));
      digests[name] = hash.finish();
      offset += (size + kSector - 1) / kSector * kSector;
    }
    say("OVA");
    require(
        order == std::vector<std::string>{".ovf", ".mf", ".vmdk"},
        "it does not hold descriptor, manifest and disk, in this order: " + ros::join(order, " "));
    for (const auto& [name, digest] : digests)
      if (!name.ends_with(".mf"))
        require(manifest.find(fmt::format("SHA256({})= {}\n", name, digest)) != std::string::npos,
                "the manifest does not fit " + name);
  }

  fs::path path_;
  ros::Fd fd_;
  std::uint64_t size_;
  Verdict verdict_;
};

}  // namespace

Verdict verify_artifact(const fs::path& path) {
  if (!fs::is_regular_file(path))
    throw ros::Error{path.string() + ": no such file", ros::Error::Kind::usage};
  return Examination(path).run();
}

}  // namespace rosbuild
