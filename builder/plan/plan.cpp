#include "builder/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/assemble/initrd.h"
#include "builder/assemble/kernel.h"
#include "builder/pack/cpio.h"
#include "builder/pack/grub.h"
#include "builder/pack/iso.h"
#include "builder/pack/tar.h"
#include "builder/publish/index.h"
#include "builder/publish/sbom.h"
#include "runtime/base/digest.h"
#include "runtime/base/disk_layout.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

struct Levels {
  int squashfs;  // zstd
  int initrd;    // zstd
  int gzip;      // rootfs.tar.gz
  int deflate;   // disk images, most of which are layers, compressed already
};

Levels levels_of(Compression compression) {
  return compression == Compression::release ? Levels{19, 19, 1, 1} : Levels{3, 3, 1, 1};
}

// arm64's kernel does not unpack itself and has 38 MB: GRUB reads it out of a squashfs, where shim
// sees the bytes that are signed. A Raspberry Pi's firmware knows nothing of the kind.
bool packs_kernel(const Platform& platform) {
  return platform.arch.value == "arm64" && !find_artifact(platform, Format::pi);
}

// https://ipxe.org/scripting. Names without a scheme are looked for beside the script; a setting
// that nobody has set is empty; UEFI's kernel asks for the initrd by its name.
std::string ipxe_script(const Distribution& distribution, const Platform& platform,
                        const ArtifactSpec& spec) {
  const std::string& kernel = find_artifact(platform, Format::kernel)->name;
  const std::string& initrd = find_artifact(platform, Format::initrd)->name;
  return fmt::format(
      "#!ipxe\n"
      "# {} {}. The setting `append` adds to the kernel's command line.\n"
      "kernel {} initrd={} {} ${{append}}\n"
      "initrd {}\n"
      "boot\n",
      distribution.title, distribution.version, kernel, initrd, command_line(platform, spec),
      initrd);
}

// The command line on a disk, as a release knows it: without words of one artifact.
std::vector<std::string> disk_words(const Platform& platform) {
  auto words = ros::words(command_line(platform, {}));
  for (auto& word : ros::words(ros::kDiskCmdline))
    if (std::ranges::count(words, word) == 0) words.push_back(std::move(word));
  return words;
}

}  // namespace

struct Plan::Boot {
  std::vector<const LayerPlan*> layers;
  const KernelPlan* kernel = nullptr;
  std::shared_ptr<Made> image;          // vmlinuz
  std::shared_ptr<Made> medium_kernel;  // the same, or what GRUB finds it in
  std::shared_ptr<Made> initrd;         // the early one, with the manifest
  Key image_key;
  Key key;               // of layers, initrd and the kernel as it lies on a medium
  std::size_t step = 0;  // after it, everything here is set
  std::vector<std::string> disk_cmdline;

  std::vector<NamedFile> layer_files() const {
    std::vector<NamedFile> files;
    for (const auto* layer : layers) files.push_back({layer->file_name, layer->file->path});
    return files;
  }
};

Plan::Plan(const Recipes& recipes, Cache& cache, Graph& graph, const Packages& packages,
           std::string arch, const Lock& lock, const Request& request, Programs programs)
    : recipes_(recipes),
      cache_(cache),
      graph_(graph),
      arch_(std::move(arch)),
      request_(request),
      materials_(cache, graph_, packages, lock, arch_, recipes.distribution.epoch),
      files_(cache, graph_),
      images_(cache, files_, materials_, recipes.distribution,
              {.level = levels_of(request.compression).deflate, .threads = request.jobs}),
      layers_(recipes, cache, materials_, graph_, std::move(programs),
              {.level = levels_of(request.compression).squashfs, .processors = request.jobs}),
      loader_step_(plan_loader()) {}

std::size_t Plan::plan_loader() {
  Key key{"loader 2"};
  key.add("epoch", std::to_string(recipes_.distribution.epoch));
  key.add("tools", materials_.fingerprint("tools"));
  return graph_.add(
      {arch_ + " boot loader", {materials_.toolbox_step()}, 1, [this, key](std::stop_token stop) {
         const bool cached = cache_.find(key.digest()).has_value();
         const auto make = [&](const fs::path& out) {
           fs::create_directory(out);
           write_loader(materials_.toolbox(), arch_, out, key.digest(), stop);
         };
         const fs::path folder = cache_.get_or_make(key.digest(), make, stop);
         for (const auto& entry : fs::directory_iterator(folder)) {
           const fs::path& file = entry.path();
           loader_[file.filename().string()] = {file, ros::sha256_file(file), fs::file_size(file)};
         }
         return cached ? Outcome::cached : Outcome::built;
       }});
}

ros::Release Plan::release_of(const Platform& platform, const Boot& boot) const {
  const std::string& version = recipes_.distribution.version;
  ros::Release release{.version = version,
                       .arch = arch_,
                       .platform = platform.name,
                       .title = recipes_.distribution.title,
                       .cmdline = boot.disk_cmdline};
  const auto add = [&](const char* role, const std::string& path, const Made& made) {
    release.files.push_back({role, path, made.size, made.sha256});
  };
  add("kernel",
      version + "/" + (packs_kernel(platform) ? ros::kPackedKernelFile : ros::kKernelFile),
      *boot.medium_kernel);
  add("initrd", version + "/initrd", *boot.initrd);
  for (const auto* layer : boot.layers) add("layer", "layers/" + layer->file_name, *layer->file);
  for (const auto& [name, made] : loader_) {
    const fs::path path{name};
    add("loader",
        fmt::format("loader/{}-{}{}", path.stem().string(), made.sha256.substr(0, 16),
                    path.extension().string()),
        made);
  }
  return release;
}

// Where the files of a release are in the cache, by their paths.
std::map<std::string, fs::path> Plan::release_sources(const ros::Release& release,
                                                      const Boot& boot) const {
  std::map<std::string, fs::path> by_digest{{boot.medium_kernel->sha256, boot.medium_kernel->path},
                                            {boot.initrd->sha256, boot.initrd->path}};
  for (const auto* layer : boot.layers) by_digest[layer->file->sha256] = layer->file->path;
  for (const auto& [name, made] : loader_) by_digest[made.sha256] = made.path;
  std::map<std::string, fs::path> sources;
  for (const auto& file : release.files) sources[file.path] = by_digest.at(file.sha256);
  return sources;
}

// The part of the initrd that all platforms share: compressing it takes seconds.
PlannedFile Plan::early_initrd_of(const KernelPlan& kernel) {
  const int level = levels_of(request_.compression).initrd;
  const std::string init = ros::read_file(layers_.programs().init);
  std::vector<ModuleList> lists;
  for (const auto& list : kernel.early_lists)
    lists.push_back({ros::read_file(list), list.string()});
  Key key{"early initrd 1"};
  key.add("kernel", kernel.early_modules.fingerprint).add("level", std::to_string(level));
  for (const auto& list : lists) key.add("early", list.text);
  key.add("init", ros::sha256(init));
  key.add("epoch", std::to_string(recipes_.distribution.epoch));
  return files_.add(arch_ + " early initrd", key, {kernel.early_modules.step}, 8,
                    [this, &kernel, level, init, lists](const fs::path& out, std::stop_token stop) {
                      const Tree tree = early_initrd(
                          {.init = init,
                           .busybox = find_busybox(materials_.merged("tools")),
                           .modules = select_modules(kernel.early_modules.tree->get(), lists),
                           .epoch = recipes_.distribution.epoch});
                      write_initrd(tree, out, level, stop);
                    });
}

// The kernel as it lies on a medium.
PlannedFile Plan::plan_medium_kernel(const Platform& platform, const KernelPlan& kernel,
                                     const PlannedFile& image) {
  if (!packs_kernel(platform)) return image;
  Key key{"packed kernel 2"};
  key.add("epoch", std::to_string(recipes_.distribution.epoch));
  key.add("image", image.key).add("tools", materials_.fingerprint("tools"));
  return files_.add(
      arch_ + " packed " + kernel.section, key, {image.step, materials_.toolbox_step()}, 4,
      [this, made = image.made](const fs::path& out, std::stop_token stop) {
        Tree tree;
        tree.put(ros::kKernelFile, {.mtime = recipes_.distribution.epoch,
                                    .content = Content::whole_file(made->path)});
        write_squashfs(tree, out, materials_.toolbox(),
                       {.compressor = "gzip", .level = 9, .processors = request_.jobs}, stop);
      });
}

// The initrd carries the manifest of the layers, so it comes after them.
Plan::Boot Plan::plan_boot(const Platform& platform) {
  Boot boot{.layers = layers_.layers_of(platform),
            .kernel = &layers_.kernel_of(platform),
            .image_key = Key{"vmlinuz 1"},
            .key = Key{"initrd 3"},
            .disk_cmdline = disk_words(platform)};
  boot.image_key.add("packages", materials_.fingerprint(boot.kernel->section));
  const PlannedFile image =
      files_.add(arch_ + " kernel", boot.image_key, {boot.kernel->early_modules.step}, 1,
                 [kernel = boot.kernel](const fs::path& out, std::stop_token) {
                   ros::write_file(out, read_kernel(kernel->packages->get()).image.read());
                 });
  const PlannedFile early = early_initrd_of(*boot.kernel);

  const PlannedFile medium_kernel = plan_medium_kernel(platform, *boot.kernel, image);

  std::vector<std::size_t> needs{image.step, early.step, loader_step_};
  if (medium_kernel.step != image.step) needs.push_back(medium_kernel.step);
  for (const auto* layer : boot.layers) needs.push_back(layer->step);
  boot.key.add("platform", platform.name).add("version", recipes_.distribution.version);
  boot.key.add("early", early.key).add("kernel", medium_kernel.key);
  for (const auto* layer : boot.layers) boot.key.add("layer", layer->file_name);
  const PlannedFile initrd = files_.add(
      "initrd " + platform.name, boot.key, needs, 1,
      [this, early = early.made, layers = boot.layers, name = platform.name](const fs::path& out,
                                                                             std::stop_token stop) {
        std::string text =
            fmt::format("version {}\nplatform {}\n", recipes_.distribution.version, name);
        for (const auto* layer : layers)
          text += fmt::format("layer {} {} {} {}\n", layer->name, layer->file_name,
                              layer->file->size, layer->file->sha256);
        Tree manifest;
        manifest.put("manifest", {.mtime = recipes_.distribution.epoch, .content = text});
        extend_initrd(early->path, manifest, out, stop);
      });
  boot.image = image.made;
  boot.medium_kernel = medium_kernel.made;
  boot.initrd = initrd.made;
  boot.step = initrd.step;
  return boot;
}

void Plan::add(const Platform& platform) {
  const auto asked = [&](const ArtifactSpec& spec) {
    return request_.only.empty() || std::ranges::count(request_.only, spec.name) > 0;
  };
  if (std::ranges::none_of(platform.artifacts, asked)) return;
  const Boot boot = plan_boot(platform);
  for (const auto& spec : platform.artifacts)
    if (asked(spec)) add_artifact(platform, spec, boot);
}

void Plan::add_artifact(const Platform& platform, const ArtifactSpec& spec, const Boot& boot) {
  const PlannedFile file = is_disk(spec.format) || spec.format == Format::iso
                               ? plan_medium(platform, spec, boot)
                               : plan_part(platform, spec, boot);
  Artifact artifact{platform.name, spec.name, file.made};
  if (spec.format == Format::release)
    artifact.sources = [this, &platform, boot] {
      return release_sources(release_of(platform, boot), boot);
    };
  artifacts_.push_back(std::move(artifact));
}

// What a machine is netbooted with, or a container made from.
PlannedFile Plan::plan_part(const Platform& platform, const ArtifactSpec& spec, const Boot& boot) {
  const std::string title = platform.name + "/" + spec.name;
  if (spec.format == Format::kernel) return {boot.step, boot.image, boot.image_key.digest()};
  if (spec.format == Format::initrd)
    return files_.add(title, Key{"netboot 1"}.add("boot", boot.key.digest()), {boot.step}, 1,
                      [boot](const fs::path& out, std::stop_token stop) {
                        write_netboot_initrd(boot.initrd->path, boot.layer_files(), out, stop);
                      });
  if (spec.format == Format::ipxe) {
    const std::string script = ipxe_script(recipes_.distribution, platform, spec);
    return files_.add(
        title, Key{"ipxe 1"}.add("script", script), {boot.step}, 1,
        [script](const fs::path& out, std::stop_token) { ros::write_file(out, script); });
  }
  if (spec.format == Format::sbom) {
    const std::string document = to_spdx({.name = recipes_.distribution.name + "-" + platform.name,
                                          .version = recipes_.distribution.version,
                                          .suite = recipes_.distribution.suites.front(),
                                          .epoch = recipes_.distribution.epoch},
                                         shipped_packages(boot));
    return files_.add(
        title, Key{"sbom 1"}.add("document", document), {boot.step}, 1,
        [document](const fs::path& out, std::stop_token) { ros::write_file(out, document); });
  }
  if (spec.format == Format::release)
    return files_.add(title,
                      Key{"release 1"}
                          .add("boot", boot.key.digest())
                          .add("title", recipes_.distribution.title)
                          .add("cmdline", ros::join(boot.disk_cmdline, " "))
                          .add("tools", materials_.fingerprint("tools")),
                      {boot.step}, 1,
                      [this, &platform, boot](const fs::path& out, std::stop_token) {
                        ros::write_file(out, to_text(release_of(platform, boot)));
                      });
  return plan_rootfs(title, boot);
}

// Those of the layers, and of what boots them. Of the other tools nothing is shipped.
std::vector<LockedPackage> Plan::shipped_packages(const Boot& boot) const {
  std::vector<LockedPackage> shipped;
  for (const auto* layer : boot.layers) {
    if (!layer->recipe || (layer->recipe->packages.empty() && !layer->recipe->kernel)) continue;
    const auto& packages = materials_.packages(layer->name);
    shipped.insert(shipped.end(), packages.begin(), packages.end());
  }
  for (const auto& package : materials_.packages("tools")) {
    const std::string& name = package.name;
    const bool boots = name.starts_with("grub-efi-") || name.starts_with("grub-pc-") ||
                       name.starts_with("shim-") || name == "busybox-static" ||
                       name == "raspi-firmware" || name == "u-boot-rpi";
    if (boots && (package.arch == arch_ || package.arch == "all")) shipped.push_back(package);
  }
  return shipped;
}

PlannedFile Plan::plan_rootfs(const std::string& title, const Boot& boot) {
  const int level = levels_of(request_.compression).gzip;
  Key key{"rootfs 3"};
  std::vector<std::size_t> needs;
  std::vector<std::shared_ptr<Made>> pieces;
  for (const auto* layer : boot.layers) {
    const PlannedFile piece = files_.add(
        arch_ + " tar of layer " + layer->name,
        Key{"tar piece 1"}.add("layer", layer->file_name).add("level", std::to_string(level)),
        {layer->step}, 4,
        [this, tree = layer->tree, level](const fs::path& out, std::stop_token stop) {
          write_tar_piece(tree->get(), out, level, request_.jobs, stop);
        });
    key.add("piece", piece.key);
    needs.push_back(piece.step);
    pieces.push_back(piece.made);
  }
  return files_.add(title, key, needs, 2, [pieces](const fs::path& out, std::stop_token) {
    std::vector<fs::path> files;
    for (const auto& piece : pieces) files.push_back(piece->path);
    join_tar_pieces(files, out);
  });
}

// ISO and disks: all that boots by GRUB.
PlannedFile Plan::plan_medium(const Platform& platform, const ArtifactSpec& spec,
                              const Boot& boot) {
  const Distribution& distribution = recipes_.distribution;
  const std::string cmdline = command_line(platform, spec);
  const std::uint64_t size = spec.size ? spec.size->value : 0;
  Key key{spec.format == Format::iso ? "iso 4" : "disk 5"};
  key.add("boot", boot.key.digest()).add("cmdline", cmdline).add("size", std::to_string(size));
  key.add("title", distribution.title).add("epoch", std::to_string(distribution.epoch));
  key.add("tools", materials_.fingerprint("tools"));
  key.add("disk cmdline", ros::join(boot.disk_cmdline, " "));

  const auto medium = [this, &platform, boot, cmdline] {
    return Medium{.release = release_of(platform, boot),
                  .kernel = boot.medium_kernel->path,
                  .initrd = boot.initrd->path,
                  .layers = boot.layer_files(),
                  .loader = loader_.at(kEspImage).path.parent_path(),
                  .cmdline = ros::words(cmdline),
                  .epoch = recipes_.distribution.epoch};
  };
  const std::string title = platform.name + "/" + spec.name;
  if (spec.format == Format::iso)
    return files_.add(
        title, key, {boot.step}, 4,
        [this, medium, seed = key.digest()](const fs::path& out, std::stop_token stop) {
          write_iso({.medium = medium(), .seed = seed}, out, materials_.toolbox(), stop);
        });
  if (spec.format == Format::pi) key.add("card", "2");
  const auto disk = [medium, size, at = spec.size ? spec.size->at : ros::Position{},
                     kernel = boot.kernel, pi = spec.format == Format::pi] {
    return DiskSpec{.medium = medium(),
                    .size = size,
                    .size_at = at,
                    .device_trees = pi ? read_device_trees(kernel->packages->get()) : Tree{}};
  };
  return images_.add(title, spec.format, spec.name, {key, boot.step, disk});
}

std::vector<Published> Plan::publish(const std::stop_token& stop) const {
  std::vector<Published> all;
  std::map<std::string, std::vector<Published>> by_platform;
  for (const auto& artifact : artifacts_) {
    if (stop.stop_requested()) throw Cancelled{};
    if (artifact.sources) {
      const auto text = ros::read_file(artifact.file->path);
      const auto files = publish_release(ros::parse_releases(text, artifact.name).back(),
                                         artifact.sources(), request_.output / artifact.platform,
                                         artifact.name, cache_.root() / "outputs");
      auto& list = by_platform[artifact.platform];
      list.insert(list.end(), files.begin(), files.end());
      all.push_back(files.back());
      continue;
    }
    const auto published = rosbuild::publish(artifact.file->path, artifact.file->sha256,
                                             request_.output / artifact.platform, artifact.name,
                                             cache_.root() / "outputs");
    by_platform[artifact.platform].push_back(published);
    all.push_back(published);
  }
  for (const auto& [platform, published] : by_platform)
    write_checksums(request_.output / platform, recipes_.distribution.version, published);
  return all;
}

}  // namespace rosbuild
