#include "builder/pack/medium.h"

#include <fmt/format.h>

#include "runtime/base/text.h"

namespace rosbuild {
namespace {

// GRUB's shell takes single quotes as ours does.
std::string line_of(const std::vector<std::string>& cmdline) { return ros::quote(cmdline); }

std::vector<std::string> verbose(std::vector<std::string> cmdline) {
  std::erase_if(cmdline, [](const std::string& word) {
    return word == "quiet" || word.starts_with("loglevel=");
  });
  return cmdline;
}

std::vector<std::string> with(std::vector<std::string> cmdline,
                              std::initializer_list<const char*> more) {
  cmdline.insert(cmdline.end(), more.begin(), more.end());
  return cmdline;
}

}  // namespace

std::string make_grub_cfg(const Medium& medium, const std::string& label) {
  std::string text = fmt::format(
      "# {0} {1}\n"
      "set default=current\n"
      "set timeout_style=menu\n"
      "set timeout=3\n"
      "if [ -s $prefix/grubenv ]; then\n"
      "  load_env --file $prefix/grubenv saved_entry\n"
      "  if [ -n \"$saved_entry\" ]; then set default=\"$saved_entry\"; fi\n"
      "fi\n"
      // UEFI firmware mirrors its console to the serial port by itself.
      "if [ \"$grub_platform\" = pc ]; then\n"
      "  if serial --unit=0 --speed=115200; then\n"
      "    terminal_input console serial\n"
      "    terminal_output console serial\n"
      "  fi\n"
      "fi\n"
      "search --no-floppy --set=root --label {2} --hint $root\n",
      medium.title, medium.version, label);
  const auto entry = [&](const std::string& suffix, const std::string& id,
                         const std::vector<std::string>& cmdline) {
    text += fmt::format(
        "\nmenuentry {} --id {} {{\n"
        "  linux /{}/vmlinuz {}\n"
        "  initrd /{}/initrd\n"
        "}}\n",
        ros::quote(medium.title + " " + medium.version + suffix), id, medium.version,
        line_of(cmdline), medium.version);
  };
  // Each of them is a way to the same system when it does not come up as usual.
  entry("", "current", medium.cmdline);
  entry(" (debug messages)", "debug", with(verbose(medium.cmdline), {"rancher.debug=true"}));
  entry(" (recovery console)", "recovery", with(medium.cmdline, {"rancher.recovery=true"}));
  entry(" (autologin on tty1 and ttyS0)", "autologin",
        with(medium.cmdline, {"rancher.autologin=tty1", "rancher.autologin=ttyS0"}));
  return text;
}

Tree medium_tree(const Medium& medium, const std::string& label) {
  Tree tree;
  tree.put_file(medium.version + "/vmlinuz", Content::whole_file(medium.kernel));
  tree.put_file(medium.version + "/initrd", Content::whole_file(medium.initrd));
  for (const auto& layer : medium.layers)
    tree.put_file("layers/" + layer.name, Content::whole_file(layer.file));
  tree.put_file("grub/grub.cfg", make_grub_cfg(medium, label));
  if (label == kDiskLabel) {
    // GRUB's environment block has a fixed size, so that GRUB can write to it in place.
    std::string block = "# GRUB Environment Block\n";
    block.append(1024 - block.size(), '#');
    tree.put_file("grub/grubenv", block);
  }
  Tree dated;
  for (auto [path, entry] : tree.entries()) {
    entry.mtime = medium.epoch;
    dated.put(path, entry);
  }
  return dated;
}

}  // namespace rosbuild
