#include "builder/plan/images.h"

#include <mutex>
#include <optional>

#include "builder/pack/gce.h"
#include "builder/pack/ova.h"
#include "builder/pack/pi.h"
#include "builder/pack/qcow2.h"
#include "builder/pack/stream.h"
#include "builder/pack/vhd.h"
#include "builder/pack/vhdx.h"
#include "builder/pack/vmdk.h"
#include "builder/pack/zip.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

// "rancheros-azure.vhd.zip" and ".zip" -> "rancheros-azure.vhd".
std::string without(const std::string& name, std::string_view ending) {
  return name.ends_with(ending) ? name.substr(0, name.size() - ending.size()) : name;
}

bool is_archive(Format format) {
  return format == Format::zip || format == Format::pi || format == Format::vhd_zip ||
         format == Format::vhdx_zip;
}

void convert(Format format, const std::string& name, const fs::path& raw, const fs::path& out,
             DeflateOptions deflate, const std::stop_token& stop) {
  deflate.stop = stop;
  switch (format) {
    case Format::raw:
      return copy_sparse(raw.string(), create_sparse(out.string(), fs::file_size(raw)).get(), 0,
                         stop);
    case Format::qcow2:
      return write_qcow2(raw, out, deflate);
    case Format::vmdk:
      return write_vmdk(raw, out, deflate);
    case Format::vhd:
      return write_dynamic_vhd(raw, out, stop);
    case Format::vhd_fixed:
      return write_fixed_vhd(raw, out, stop);
    case Format::vhdx:
      return write_vhdx(raw, out, stop);
    case Format::vhd_zip:
    case Format::vhdx_zip: {
      // Not a file of the cache: the digest of a fixed VHD's zeros would take longer than the rest.
      const ros::TempDir folder{out.parent_path()};
      const fs::path disk = folder.path() / "disk";
      convert(format == Format::vhd_zip ? Format::vhd_fixed : Format::vhdx, name, raw, disk,
              deflate, stop);
      return write_zip(disk, without(name, ".zip"), out, deflate);
    }
    case Format::gce:
      return write_gce(raw, out, deflate);
    case Format::zip:
    case Format::pi:
      return write_zip(raw, without(name, ".zip") + ".img", out, deflate);
    default:
      throw ros::Error{name_of(format) + " is not made from a raw disk"};
  }
}

}  // namespace

// Thread-safe. `expect` while planning, `use` while running.
class ImagePlanner::SharedDisk {
 public:
  SharedDisk(Cache& cache, MakeFile make) : cache_(cache), make_(std::move(make)) {}

  void expect() { ++expected_; }

  // Calls use(raw). One that was expected and found its image in the cache does not come here:
  // then the disk stays until the plan goes.
  void use(const std::stop_token& stop, const std::function<void(const fs::path& raw)>& use) {
    {
      const std::lock_guard lock(mutex_);
      if (!folder_) {
        ros::TempDir made = cache_.scratch();
        make_(made.path() / "disk.raw", stop);
        folder_.emplace(std::move(made));
      }
    }
    use(folder_->path() / "disk.raw");
    const std::lock_guard lock(mutex_);
    if (--expected_ == 0) folder_.reset();
  }

 private:
  Cache& cache_;
  MakeFile make_;
  std::mutex mutex_;
  int expected_ = 0;
  std::optional<ros::TempDir> folder_;
};

ImagePlanner::ImagePlanner(Cache& cache, FileSteps& files, const Materials& materials,
                           const Distribution& distribution, DeflateOptions deflate)
    : cache_(cache),
      files_(files),
      materials_(materials),
      distribution_(distribution),
      deflate_(std::move(deflate)) {}

PlannedFile ImagePlanner::add(const std::string& title, Format format, const std::string& name,
                              const DiskPlan& plan) {
  Key key{"image 2"};
  key.add("disk", plan.key.digest()).add("format", name_of(format));
  if (format == Format::ova) {
    const PlannedFile vmdk = add(title + " (disk)", Format::vmdk, name, plan);
    const std::string stem = without(name, ".ova");
    key.add("name", stem);
    return files_.add(
        title, key, {vmdk.step}, 1,
        [this, stem, disk = vmdk.made, plan](const fs::path& out, std::stop_token stop) {
          write_ova({.name = stem,
                     .title = distribution_.title,
                     .version = distribution_.version,
                     .vmdk = disk->path,
                     .vmdk_sha256 = disk->sha256,
                     .capacity = plan.spec().size},
                    out, stop);
        });
  }

  auto& disk = disks_[plan.key.digest()];
  if (!disk)
    disk = std::make_shared<SharedDisk>(cache_,
                                        [this, plan](const fs::path& raw, std::stop_token stop) {
                                          DiskSpec spec = plan.spec();
                                          spec.seed = plan.key.digest();
                                          if (spec.device_trees.entries().empty())
                                            write_disk(spec, raw, materials_.toolbox(), stop);
                                          else
                                            write_pi(spec, raw, materials_.toolbox(), stop);
                                        });
  if (is_archive(format)) key.add("name", name);  // what is in it is called after it
  disk->expect();
  return files_.add(
      title, key, {plan.after}, 6,
      [format, name, disk, deflate = deflate_](const fs::path& out, std::stop_token stop) {
        disk->use(stop,
                  [&](const fs::path& raw) { convert(format, name, raw, out, deflate, stop); });
      });
}

}  // namespace rosbuild
