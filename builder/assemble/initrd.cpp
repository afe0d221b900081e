#include "builder/assemble/initrd.h"

#include "runtime/base/error.h"

namespace rosbuild {

Tree early_initrd(const InitrdSpec& spec) {
  Tree tree;
  const auto folder = [&](const char* path) {
    tree.put(path, Entry{.type = EntryType::directory, .mode = 0755, .mtime = spec.epoch});
  };
  const auto file = [&](const char* path, Content content, unsigned mode) {
    tree.put(path, Entry{.mode = mode, .mtime = spec.epoch, .content = std::move(content)});
  };
  const auto link = [&](const char* path, const char* target) {
    tree.put(
        path,
        Entry{.type = EntryType::symlink, .mode = 0777, .mtime = spec.epoch, .target = target});
  };
  for (const char* path : {"bin", "dev", "proc", "run", "sys", "usr", "usr/lib"}) folder(path);
  link("lib", "usr/lib");
  // The kernel opens it for init before anything can be mounted on /dev.
  tree.put("dev/console", Entry{.type = EntryType::char_device,
                                .mode = 0600,
                                .mtime = spec.epoch,
                                .major = 5,
                                .minor = 1});
  file("init", spec.init, 0755);
  file("bin/busybox", spec.busybox, 0755);
  link("bin/sh", "busybox");
  tree.merge(spec.modules);
  tree.clamp_times(spec.epoch);
  return tree;
}

Content find_busybox(const Tree& packages) {
  for (const char* path : {"usr/bin/busybox", "bin/busybox"})
    if (const Entry* entry = packages.find(path); entry && entry->type == EntryType::file)
      return entry->content;
  throw ros::Error{"the locked tools hold no busybox"}.hint(
      "add busybox-static to `tools` or `loaders` in recipes/distribution.yaml and run "
      "`rosbuild lock`");
}

}  // namespace rosbuild
