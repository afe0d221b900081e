// A folder of recipes for tests: correct as made, to be spoilt file by file.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "builder/load/platform.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"

namespace rosbuild {

class Root {
 public:
  Root() {
    put("recipes/distribution.yaml",
        "name: rancheros\n"
        "title: RancherOS\n"
        "version: 2.0.0\n"
        "epoch: 1767225600\n"
        "suites: [trixie]\n"
        "components: [main]\n"
        "tools: [mtools]\n");
    put("recipes/layers/base.yaml", "name: base\npackages: [bash, busybox]\n");
    put("recipes/layers/runtime.yaml", "name: runtime\nruntime: true\nblock_size: 256KiB\n");
    put("platforms/amd64.yaml",
        "name: amd64\n"
        "description: PC\n"
        "arch: amd64\n"
        "layers: [base, runtime]\n"
        "cmdline: [quiet]\n"
        "datasources: [nocloud]\n"
        "artifacts:\n"
        "  - {name: vmlinuz, format: kernel}\n"
        "  - {name: rancheros.iso, format: iso, cmdline: [a=1]}\n");
  }

  void put(const std::string& path, const std::string& text) const {
    ros::write_file(folder_.path() / path, text);
  }
  const fs::path& path() const { return folder_.path(); }
  Recipes load() const { return load_all(folder_.path()); }

  // What loading complains about, with paths as seen from the folder; empty
  // when it does not.
  std::string complaint() const {
    try {
      load();
    } catch (const ros::Error& error) {
      CHECK(error.exit_status() == 2);
      return ros::replace_all(error.what(), folder_.path().string() + "/", "");
    }
    return {};
  }

 private:
  ros::TempDir folder_;
};

}  // namespace rosbuild
