#include "builder/verify/inspect.h"

#include <fmt/format.h>
#include <guestfs.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>

#include "builder/verify/boot.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;

constexpr const char* kDisk = "/dev/sda";
constexpr int kMemoryMb = 512;

struct Close {
  void operator()(guestfs_h* handle) const { guestfs_close(handle); }
  void operator()(char* text) const { std::free(text); }
  void operator()(char** texts) const {
    for (char** text = texts; *text; ++text) std::free(*text);
    std::free(texts);
  }
  void operator()(guestfs_partition_list* list) const { guestfs_free_partition_list(list); }
};
using Handle = std::unique_ptr<guestfs_h, Close>;
using Text = std::unique_ptr<char, Close>;
using Texts = std::unique_ptr<char*, Close>;

// One machine of libguestfs with one disk; its C answers as values of ours.
class Machine {
 public:
  Machine(const fs::path& artifact, const std::string& format)
      : artifact_(artifact), handle_(guestfs_create()) {
    if (!handle_) throw Error::from_errno("libguestfs");
    guestfs_set_error_handler(get(), nullptr, nullptr);  // we throw; it need not print
    check(guestfs_set_backend(get(), "direct"));
    if (!have_kvm()) check(guestfs_set_backend_setting(get(), "force_tcg", "1"));
    check(guestfs_set_memsize(get(), kMemoryMb));
    check(guestfs_add_drive_opts(get(), artifact.c_str(), GUESTFS_ADD_DRIVE_OPTS_READONLY, 1,
                                 GUESTFS_ADD_DRIVE_OPTS_FORMAT, format.c_str(), -1));
    check(guestfs_launch(get()));
  }

  guestfs_h* get() const { return handle_.get(); }

  void check(int status) const {
    if (status == -1) fail();
  }
  std::string text(char* answer) const {
    if (!answer) fail();
    return Text{answer}.get();
  }
  // "" where there is no answer: asking a disk without a table for its type is no failure.
  std::string text_or_empty(char* answer) const { return answer ? Text{answer}.get() : ""; }
  std::vector<std::string> texts(char** answer) const {
    if (!answer) fail();
    const Texts list{answer};
    std::vector<std::string> result;
    for (char** text = list.get(); *text; ++text) result.emplace_back(*text);
    return result;
  }
  [[noreturn]] void fail() const {
    const char* reason = guestfs_last_error(get());
    throw Error{fmt::format("{}: libguestfs: {}", artifact_.string(), reason ? reason : "failed"),
                Error::Kind::tool};
  }

 private:
  fs::path artifact_;
  Handle handle_;
};

std::vector<FoundPartition> partitions_of(const Machine& machine, const std::string& table) {
  const std::unique_ptr<guestfs_partition_list, Close> list{
      guestfs_part_list(machine.get(), kDisk)};
  if (!list) machine.fail();
  std::vector<FoundPartition> result;
  for (std::uint32_t i = 0; i < list->len; ++i) {
    const guestfs_partition& part = list->val[i];
    result.push_back({.number = part.part_num, .offset = part.part_start, .size = part.part_size});
    if (table == "gpt")
      result.back().type =
          machine.text(guestfs_part_get_gpt_type(machine.get(), kDisk, part.part_num));
  }
  return result;
}

std::vector<FoundFile> files_of(const Machine& machine, const std::string& device) {
  machine.check(guestfs_mount_ro(machine.get(), device.c_str(), "/"));
  std::vector<FoundFile> result;
  for (const std::string& name : machine.texts(guestfs_find(machine.get(), "/"))) {
    const std::string path = "/" + name;
    FoundFile file{.path = path};
    const int regular = guestfs_is_file(machine.get(), path.c_str());
    machine.check(regular);
    if (regular)
      file.sha256 = machine.text(guestfs_checksum(machine.get(), "sha256", path.c_str()));
    result.push_back(std::move(file));
  }
  machine.check(guestfs_umount(machine.get(), "/"));
  std::ranges::sort(result, {}, &FoundFile::path);
  return result;
}

FoundFilesystem filesystem_of(const Machine& machine, const std::string& device) {
  guestfs_h* handle = machine.get();
  FoundFilesystem result{.device = device,
                         .type = machine.text_or_empty(guestfs_vfs_type(handle, device.c_str()))};
  if (result.type.empty()) {
    result.type = "unknown";
    return result;
  }
  result.label = machine.text(guestfs_vfs_label(handle, device.c_str()));
  result.uuid = machine.text(guestfs_vfs_uuid(handle, device.c_str()));
  if (result.type != "swap") result.files = files_of(machine, device);
  return result;
}

}  // namespace

Inspection inspect(const fs::path& artifact, const std::string& format) {
  const Machine machine(artifact, format);
  guestfs_h* handle = machine.get();
  Inspection result;
  result.table = machine.text_or_empty(guestfs_part_get_parttype(handle, kDisk));
  if (!result.table.empty()) result.partitions = partitions_of(machine, result.table);
  // A hybrid ISO has both: a file system on the whole disk, and a table in its first sectors.
  std::vector<std::string> devices = machine.texts(guestfs_list_partitions(handle));
  devices.insert(devices.begin(), kDisk);
  for (const std::string& device : devices) {
    FoundFilesystem found = filesystem_of(machine, device);
    if (device != kDisk || found.type != "unknown") result.filesystems.push_back(std::move(found));
  }
  return result;
}

}  // namespace rosbuild
