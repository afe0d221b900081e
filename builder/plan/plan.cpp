#include "builder/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/assemble/initrd.h"
#include "builder/assemble/kernel.h"
#include "builder/pack/cpio.h"
#include "builder/pack/disk.h"
#include "builder/pack/grub.h"
#include "builder/pack/iso.h"
#include "builder/pack/tar.h"
#include "builder/pack/vmdk.h"
#include "builder/publish/index.h"
#include "runtime/base/digest.h"
#include "runtime/base/disk_layout.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

struct Levels {
  int squashfs;  // zstd
  int initrd;    // zstd
  int gzip;      // rootfs.tar.gz; the layers in it are compressed already, as are
  int deflate;   // those in the grains of a VMDK
};

Levels levels_of(Compression compression) {
  return compression == Compression::release ? Levels{19, 19, 1, 1} : Levels{3, 3, 1, 1};
}

}  // namespace

struct Plan::Boot {
  std::vector<const LayerPlan*> layers;
  const KernelPlan* kernel = nullptr;
  std::size_t step = 0;          // after it, everything here is set
  std::shared_ptr<Made> image;   // vmlinuz
  std::shared_ptr<Made> initrd;  // the early one
  std::string fingerprint;       // of layers, kernel and initrd, for keys
  std::vector<std::string> disk_cmdline;
};

Plan::Plan(const Recipes& recipes, Cache& cache, const Lock& lock, const Request& request,
           Programs programs, Reporter& reporter)
    : recipes_(recipes),
      cache_(cache),
      request_(request),
      materials_(cache, lock, request.mirror, recipes.distribution.epoch, reporter) {
  std::vector<std::string> sections{"tools"};
  for (const auto& [section, packages] : lock.sections)
    if (section != "tools") sections.push_back(section);
  materials_.add_steps(graph_, sections);
  loader_step_ = plan_loader();
  layers_ = std::make_unique<LayerPlanner>(
      recipes, cache, materials_, graph_, std::move(programs),
      SquashfsOptions{.level = levels_of(request.compression).squashfs,
                      .processors = request.jobs});
}

std::size_t Plan::plan_loader() {
  Key key{"loader 1"};
  key.add("tools", materials_.fingerprint("tools"));
  return graph_.add(
      {"boot loader", {materials_.toolbox_step()}, 1, [this, key](std::stop_token stop) {
         const bool cached = cache_.find(key.digest()).has_value();
         const fs::path folder = cache_.get_or_make(key.digest(), [&](const fs::path& out) {
           fs::create_directory(out);
           write_loader(materials_.toolbox(), out, key.digest(), stop);
         });
         for (const char* name : {kBootSector, kCoreImage, kEspImage}) {
           const fs::path file = folder / name;
           loader_[name] = {file, ros::sha256_file(file), fs::file_size(file)};
         }
         return cached ? Outcome::cached : Outcome::built;
       }});
}

ros::Release Plan::release_of(const Platform& platform, const Boot& boot) const {
  const std::string& version = recipes_.distribution.version;
  ros::Release release{.version = version,
                       .platform = platform.name,
                       .title = recipes_.distribution.title,
                       .cmdline = boot.disk_cmdline};
  const auto add = [&](const char* role, const std::string& path, const Made& made) {
    release.files.push_back({role, path, made.size, made.sha256});
  };
  add("kernel", version + "/vmlinuz", *boot.image);
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
  std::map<std::string, fs::path> by_digest{{boot.image->sha256, boot.image->path},
                                            {boot.initrd->sha256, boot.initrd->path}};
  for (const auto* layer : boot.layers) by_digest[layer->file->sha256] = layer->file->path;
  for (const auto& [name, made] : loader_) by_digest[made.sha256] = made.path;
  std::map<std::string, fs::path> sources;
  for (const auto& file : release.files) sources[file.path] = by_digest.at(file.sha256);
  return sources;
}

// The early initrd carries the manifest, so it comes after the layers.
Plan::Boot Plan::plan_boot(const Platform& platform) {
  Boot boot;
  boot.layers = layers_->layers_of(platform);
  boot.kernel = &layers_->kernel_of(platform);
  boot.image = std::make_shared<Made>();
  boot.initrd = std::make_shared<Made>();
  boot.disk_cmdline = ros::words(command_line(platform, {}) + " " + ros::kDiskCmdline);
  Key image_key{"vmlinuz 1"};
  image_key.add("packages", materials_.fingerprint(boot.kernel->section));
  Key key{"initrd 1"};
  key.add("platform", platform.name).add("version", recipes_.distribution.version);
  key.add("kernel", boot.kernel->early_modules.fingerprint);
  for (const auto& list : boot.kernel->early_lists) key.add("early", ros::read_file(list));
  for (const auto* layer : boot.layers) key.add("layer", layer->file_name);
  key.add("init", ros::sha256_file(layers_->programs().init));
  key.add("level", std::to_string(levels_of(request_.compression).initrd));
  boot.fingerprint = key.digest();

  std::vector<std::size_t> needs{boot.kernel->early_modules.step, loader_step_};
  for (const auto* layer : boot.layers) needs.push_back(layer->step);
  boot.step = graph_.add(
      {"initrd " + platform.name, needs, 3,
       [this, image_key, key, boot, name = platform.name](std::stop_token stop) {
         make_file(
             cache_, image_key,
             [&](const fs::path& out) {
               ros::write_file(out, read_kernel(boot.kernel->packages->get()).image.read());
             },
             *boot.image);
         return make_file(
             cache_, key,
             [&](const fs::path& out) {
               std::string manifest =
                   fmt::format("version {}\nplatform {}\n", recipes_.distribution.version, name);
               for (const auto* layer : boot.layers)
                 manifest += fmt::format("layer {} {} {} {}\n", layer->name, layer->file_name,
                                         layer->file->size, layer->file->sha256);
               std::vector<ModuleList> lists;
               for (const auto& list : boot.kernel->early_lists)
                 lists.push_back({ros::read_file(list), list.string()});
               const Tree tree = early_initrd(
                   {.init = Content::whole_file(layers_->programs().init),
                    .busybox = find_busybox(materials_.merged("tools")),
                    .modules = select_modules(boot.kernel->early_modules.tree->get(), lists),
                    .manifest = manifest,
                    .epoch = recipes_.distribution.epoch});
               write_initrd(tree, out, levels_of(request_.compression).initrd, stop);
             },
             *boot.initrd);
       }});
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
  const Levels levels = levels_of(request_.compression);
  const Distribution& distribution = recipes_.distribution;
  const std::string cmdline = command_line(platform, spec);
  Artifact artifact{platform.name, spec.name, std::make_shared<Made>()};

  Key key{"artifact 3"};
  key.add("format", name_of(spec.format)).add("boot", boot.fingerprint).add("cmdline", cmdline);
  key.add("size", std::to_string(spec.size ? spec.size->value : 0));
  key.add("title", distribution.title).add("epoch", std::to_string(distribution.epoch));
  key.add("tools", materials_.fingerprint("tools")).add("level", std::to_string(levels.squashfs));
  key.add("disk cmdline", ros::join(boot.disk_cmdline, " "));
  const std::string seed = key.digest();

  const auto layer_files = [boot] {
    std::vector<NamedFile> files;
    for (const auto* layer : boot.layers) files.push_back({layer->file_name, layer->file->path});
    return files;
  };
  const auto medium = [this, &platform, boot, cmdline, layer_files] {
    return Medium{.release = release_of(platform, boot),
                  .kernel = boot.image->path,
                  .initrd = boot.initrd->path,
                  .layers = layer_files(),
                  .loader = loader_.at(kCoreImage).path.parent_path(),
                  .cmdline = ros::words(cmdline),
                  .epoch = recipes_.distribution.epoch};
  };

  std::function<void(const fs::path&, std::stop_token)> make;
  double weight = 1;
  switch (spec.format) {
    case Format::kernel:
      make = [boot](const fs::path& out, std::stop_token) { fs::copy_file(boot.image->path, out); };
      break;
    case Format::initrd:
      make = [boot, layer_files](const fs::path& out, std::stop_token stop) {
        write_netboot_initrd(boot.initrd->path, layer_files(), out, stop);
      };
      break;
    case Format::rootfs:
      weight = 20;
      make = [this, boot, levels](const fs::path& out, std::stop_token stop) {
        Tree root;
        for (const auto* layer : boot.layers) root.merge(layer->tree->get());
        root.clamp_times(recipes_.distribution.epoch);
        write_tar_gz(root, out, levels.gzip, request_.jobs, stop);
      };
      break;
    case Format::iso:
      weight = 4;
      make = [this, medium, seed](const fs::path& out, std::stop_token stop) {
        write_iso({.medium = medium(), .seed = seed}, out, materials_.toolbox(), stop);
      };
      break;
    case Format::release:
      make = [this, &platform, boot](const fs::path& out, std::stop_token) {
        ros::write_file(out, to_text(release_of(platform, boot)));
      };
      break;
    case Format::vmdk:
      weight = 10;
      make = [this, medium, seed, levels, size = spec.size->value](const fs::path& out,
                                                                   std::stop_token stop) {
        const ros::TempDir scratch = cache_.scratch();
        const fs::path raw = scratch.path() / "disk.raw";
        write_disk({.medium = medium(), .size = size, .seed = seed}, raw, materials_.toolbox(),
                   stop);
        write_vmdk(raw, out, {.level = levels.deflate, .threads = request_.jobs}, stop);
      };
      break;
  }
  graph_.add({platform.name + "/" + spec.name,
              {boot.step},
              weight,
              [this, key, make, file = artifact.file](std::stop_token stop) {
                return make_file(
                    cache_, key, [&](const fs::path& out) { make(out, stop); }, *file);
              }});
  if (spec.format == Format::release)
    artifact.sources = [this, &platform, boot] {
      return release_sources(release_of(platform, boot), boot);
    };
  artifacts_.push_back(std::move(artifact));
}

std::vector<Published> Plan::publish() const {
  std::vector<Published> all;
  std::map<std::string, std::vector<Published>> by_platform;
  for (const auto& artifact : artifacts_) {
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
    write_checksums(request_.output / platform, published);
  return all;
}

}  // namespace rosbuild
