#include "builder/pack/gpt.h"

#include "builder/pack/stream.h"
#include "runtime/base/error.h"
#include "tests/unit/pack/read_back.h"

using namespace rosbuild;
using Catch::Contains;

namespace {

constexpr const char* kDiskGuid = "01020304-0506-0708-090A-0B0C0D0E0F10";
constexpr const char* kFirstGuid = "11111111-2222-3333-4444-555555555555";

fs::path make_disk(const fs::path& folder, const std::vector<Partition>& partitions,
                   const std::string& boot_code = {}) {
  const fs::path disk = folder / "disk";
  const ros::Fd fd = create_sparse(disk.string(), 8 * kMiB);
  write_gpt(fd.get(), 8 * kMiB, kDiskGuid, partitions, boot_code);
  return disk;
}

const std::vector<Partition> kTwo = {
    {kBiosBootType, kFirstGuid, "BIOS boot", kMiB, kMiB},
    {kEspType, "21111111-2222-3333-4444-555555555555", "ESP", 2 * kMiB, 5 * kMiB}};

}  // namespace

TEST_CASE("gpt: headers, entries and the protective MBR", "[pack]") {
  const ros::TempDir folder;
  const std::string disk = ros::read_file(make_disk(folder.path(), kTwo, std::string(512, 'B')));
  CHECK(disk.substr(0, 440) == std::string(440, 'B'));
  CHECK(disk.substr(440, 6) == std::string(6, '\0'));
  CHECK(little_endian(disk, 450, 1) == 0xee);
  CHECK(little_endian(disk, 458, 4) == disk.size() / 512 - 1);
  CHECK(little_endian(disk, 510, 2) == 0xaa55);

  const std::size_t last = disk.size() - 512;
  CHECK(disk.substr(512, 8) == "EFI PART");
  CHECK(disk.substr(last, 8) == "EFI PART");
  CHECK(little_endian(disk, 512 + 32, 8) == last / 512);  // each names the other
  CHECK(little_endian(disk, last + 32, 8) == 1);
  CHECK(disk.substr(512 + 56, 4) == "\4\3\2\1");  // the GUID's first group, turned round
  CHECK(disk.substr(512 + 56 + 8, 4) == "\x9\xa\xb\xc");
  CHECK(disk.substr(1024, 128 * 128) == disk.substr(last - 128 * 128, 128 * 128));

  const std::size_t second = 1024 + 128;
  CHECK(little_endian(disk, second + 32, 8) == 2 * kMiB / 512);
  CHECK(little_endian(disk, second + 40, 8) == 7 * kMiB / 512 - 1);
  CHECK(disk.substr(second + 56, 8) == std::string("E\0S\0P\0\0\0", 8));
  CHECK(disk.substr(second + 128, 128) == std::string(128, '\0'));
}

TEST_CASE("gpt: sfdisk and sgdisk find nothing wrong", "[pack]") {
  const ros::TempDir folder;
  const std::string disk = make_disk(folder.path(), kTwo).string();
  CHECK_THAT(ask({.argv = {"sfdisk", "--verify", disk}}), Contains("No errors detected"));
  const std::string dump = ask({.argv = {"sfdisk", "--dump", disk}});
  CHECK_THAT(dump, Contains(std::string{"label-id: "} + kDiskGuid));
  CHECK_THAT(dump, Contains("start=        2048, size=        2048") && Contains(kBiosBootType) &&
                       Contains(std::string{"uuid="} + kFirstGuid) &&
                       Contains("name=\"BIOS boot\""));
  CHECK_THAT(dump, Contains("start=        4096, size=       10240") && Contains("name=\"ESP\""));
  CHECK_THAT(ask({.argv = {"sgdisk", "--verify", disk}}), Contains("No problems found"));
}

TEST_CASE("gpt: a long name is cut, a wrong GUID refused", "[pack]") {
  const ros::TempDir folder;
  std::vector<Partition> partitions{kTwo[0]};
  partitions[0].name = std::string(50, 'n');
  const std::string disk = make_disk(folder.path(), partitions).string();
  CHECK_THAT(ask({.argv = {"sfdisk", "--dump", disk}}),
             Contains("name=\"" + std::string(36, 'n') + "\""));
  for (const char* wrong : {"", "1234", "11111111-2222-3333-4444-55555555555g"}) {
    partitions[0].guid = wrong;
    CHECK_THROWS_AS(make_disk(folder.path(), partitions), ros::Error);
  }
}
