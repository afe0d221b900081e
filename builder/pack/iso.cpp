#include "builder/pack/iso.h"

#include <fmt/format.h>
#include <time.h>

#include "builder/pack/grub.h"
#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

// "YYYYMMDDhhmmsscc", as ISO 9660 volume descriptors hold it.
std::string volume_time(std::int64_t epoch) {
  const time_t seconds = static_cast<time_t>(epoch);
  tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}00", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string graft(const std::string& path, const fs::path& file) {
  const auto escaped = [](std::string text) {
    return ros::replace_all(ros::replace_all(std::move(text), "\\", "\\\\"), "=", "\\=");
  };
  return escaped("/" + path) + "=" + escaped(file.string());
}

}  // namespace

void write_iso(const IsoSpec& spec, const fs::path& out, const Toolbox& toolbox,
               std::stop_token stop) {
  const ros::TempDir scratch(fs::absolute(out).parent_path());
  Tree tree = medium_tree(spec.medium, kIsoLabel);
  // Started from a CD, GRUB takes the whole CD for its root, not the ESP on it.
  tree.put_file(ros::kSignedConfig, ros::signed_config(kIsoLabel));
  const bool bios = spec.medium.release.arch == "amd64";
  if (bios) tree.put_file("grub/eltorito.img", eltorito_image(toolbox, kIsoLabel, stop));

  const std::string date = volume_time(toolbox.epoch());
  std::vector<std::string> arguments{"-no_rc",  // nothing of whoever builds; has to come first
                                     "-as",
                                     "mkisofs",
                                     "-quiet",
                                     "-o",
                                     out.string(),
                                     "-V",
                                     kIsoLabel,
                                     "-R",
                                     "-iso-level",
                                     "3",
                                     "-uid",
                                     "0",
                                     "-gid",
                                     "0",
                                     "-dir-mode",
                                     "0755",
                                     "-file-mode",
                                     "0644",
                                     "--modification-date=" + date,
                                     "--set_all_file_dates",
                                     date,
                                     "--gpt_disk_guid",
                                     ros::replace_all(ros::uuid_from(spec.seed + " disk"), "-", ""),
                                     "-c",
                                     "grub/boot.cat"};
  const auto add = [&](const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
  };
  if (bios)
    add({// From CD; xorriso tells the image where it is.
         "-b", "grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
         "--grub2-boot-info",
         // From a USB stick.
         "--grub2-mbr", toolbox.path("usr/lib/grub/i386-pc/boot_hybrid.img").string(),
         "--mbr-force-bootable", "-eltorito-alt-boot"});
  // UEFI, from both: a file that is also a partition, so that `ros install` finds it.
  add({"-e", loader_path(spec.medium, kEspImage), "-no-emul-boot", "-efi-boot-part",
       "--efi-boot-image", "-graft-points"});
  for (const auto& [path, entry] : tree.entries()) {
    if (entry.type != EntryType::file) continue;
    const auto* range = std::get_if<FileRange>(&entry.content.source());
    if (range && range->offset == 0 && range->size == fs::file_size(range->file)) {
      arguments.push_back(graft(path, range->file));
      continue;
    }
    const fs::path file = scratch.path() / ros::replace_all(path, "/", "_");
    ros::write_file(file, entry.content.read());
    arguments.push_back(graft(path, file));
  }
  fs::remove(out);
  run(toolbox.command("xorriso", arguments), stop);
}

}  // namespace rosbuild
