#include "builder/pack/medium.h"

#include <algorithm>
#include <iterator>

#include "runtime/base/boot_state.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

// What this image adds to the command line, which an upgrade keeps.
std::vector<std::string> own_words(const Medium& medium) {
  std::vector<std::string> own;
  std::ranges::copy_if(medium.cmdline, std::back_inserter(own), [&](const std::string& word) {
    return std::ranges::count(medium.release.cmdline, word) == 0;
  });
  return own;
}

}  // namespace

std::string loader_path(const Medium& medium, const std::string& name) {
  const std::string stem = "loader/" + name.substr(0, name.rfind('.')) + "-";
  for (const auto& file : medium.release.files)
    if (file.role == "loader" && file.path.starts_with(stem)) return file.path;
  throw ros::Error{"the release has no loader file " + name};
}

Tree medium_tree(const Medium& medium, const std::string& label) {
  const ros::Release& release = medium.release;
  const std::string& version = release.version;
  Tree tree;
  tree.put_file(kernel_path(release), Content::whole_file(medium.kernel));
  tree.put_file(version + "/initrd", Content::whole_file(medium.initrd));
  tree.put_file(version + "/menu.cfg", ros::version_menu(release, medium.cmdline));
  tree.put_file(version + "/release", to_text(release));
  for (const auto& layer : medium.layers)
    tree.put_file("layers/" + layer.name, Content::whole_file(layer.file));
  for (const auto& entry : fs::directory_iterator(medium.loader)) {
    const std::string name = entry.path().filename().string();
    tree.put_file(loader_path(medium, name), Content::whole_file(entry.path()));
  }
  tree.put_file("grub/grub.cfg", ros::grub_config(release.title, label, version));
  if (label != kIsoLabel) {
    tree.put_file(version + "/append", ros::join(own_words(medium), " ") + "\n");
    tree.put_file(ros::kBootStateFile, ros::to_block({.current = version}));
  }
  Tree dated;
  for (auto [path, entry] : tree.entries()) {
    entry.mtime = medium.epoch;
    dated.put(path, entry);
  }
  return dated;
}

}  // namespace rosbuild
