// Images of disks. The raw disk is made once, in scratch space, whatever formats
// of it are wanted, and is gone when the last of them is written.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "builder/load/platform.h"
#include "builder/pack/deflate.h"
#include "builder/pack/disk.h"
#include "builder/plan/made.h"
#include "builder/plan/materials.h"

namespace rosbuild {

struct DiskPlan {
  Key key;                         // of everything on it
  std::size_t after = 0;           // the step after which `spec` may be called
  std::function<DiskSpec()> spec;  // but for its seed, which follows from the key
};

class ImagePlanner {
 public:
  // `distribution` and `materials` must outlive the plan.
  ImagePlanner(Cache& cache, FileSteps& files, const Materials& materials,
               const Distribution& distribution, DeflateOptions deflate);

  // A step that makes an image of the disk. `name` is the artifact's: an archive
  // names what is in it after itself.
  PlannedFile add(const std::string& title, Format format, const std::string& name,
                  const DiskPlan& disk);

 private:
  class SharedDisk;

  Cache& cache_;
  FileSteps& files_;
  const Materials& materials_;
  const Distribution& distribution_;
  DeflateOptions deflate_;
  std::map<std::string, std::shared_ptr<SharedDisk>> disks_;  // by key
};

}  // namespace rosbuild
