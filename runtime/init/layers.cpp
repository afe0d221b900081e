#include "runtime/init/layers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "runtime/base/digest.h"
#include "runtime/base/disk_layout.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/base/timeline.h"
#include "runtime/init/console.h"
#include "runtime/init/devices.h"
#include "runtime/init/mounts.h"

namespace ros {
namespace {

constexpr double kMediumSeconds = 20;  // a slow card reader or CD drive, after all else has settled

struct MediumKind {
  std::string_view label, type, modules, options;
};
// Files of FAT get the mode that files which are replaced ask for.
constexpr std::array<MediumKind, 3> kMediumKinds{
    {{kBootLabel, "ext4", "ext4", ""},
     {kIsoLabel, "iso9660", "isofs", ""},
     {kPiLabel, "vfat", "nls_cp437 nls_ascii nls_utf8 vfat", "fmask=0133,dmask=0022"}}};

std::string medium_labels() {
  std::vector<std::string> labels;
  for (const auto& kind : kMediumKinds) labels.emplace_back(kind.label);
  return join(labels, " or ");
}

// Empty when the folder has every file in its full size, otherwise what it lacks.
std::string missing(const Manifest& manifest, const fs::path& folder) {
  for (const auto& layer : manifest.layers) {
    boost::system::error_code error;
    const auto size = fs::file_size(folder / layer.file, error);
    if (error) return layer.file;
    if (size != layer.size)
      return fmt::format("{} with {} bytes (it has {})", layer.file, layer.size, size);
  }
  return {};
}

// Attaches a free loop device. The descriptor keeps it until it is mounted; it
// is detached by itself once nothing uses it.
std::pair<Fd, std::string> attach_loop(const fs::path& file) {
  const Fd backing = open_file(file.string(), O_RDONLY);
  const Fd control = open_file("/dev/loop-control", O_RDWR);
  for (;;) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) throw Error::from_errno("no free loop device");
    const std::string path = fmt::format("/dev/loop{}", number);
    Fd device = open_file(path, O_RDWR);
    loop_config config{};
    config.fd = static_cast<__u32>(backing.get());
    config.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
    if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) return {std::move(device), path};
    if (errno != EBUSY) throw Error::from_errno("cannot attach " + file.string() + " to " + path);
  }
}

}  // namespace

Manifest parse_manifest(std::string_view text) {
  Manifest manifest;
  int number = 0;
  for (const auto& line : split(text, '\n')) {
    ++number;
    const auto field = words(line);
    if (field.empty()) continue;
    const auto wrong = [&](const std::string& what) {
      return Error{what, Error::Kind::input}.at({"/manifest", number, 1});
    };
    if (field[0] == "version" && field.size() == 2) {
      manifest.version = field[1];
    } else if (field[0] == "platform" && field.size() == 2) {
      manifest.platform = field[1];
    } else if (field[0] == "layer" && field.size() == 5) {
      LayerFile layer{.name = field[1], .file = field[2], .sha256 = field[4]};
      const auto [end, code] =
          std::from_chars(field[3].data(), field[3].data() + field[3].size(), layer.size);
      if (code != std::errc{} || *end != '\0') throw wrong("the size is no number");
      if (layer.sha256.size() != 64) throw wrong("the digest is no SHA-256");
      if (layer.name.find('/') != layer.name.npos || layer.file.find('/') != layer.file.npos)
        throw wrong("a layer's name has a slash");
      manifest.layers.push_back(std::move(layer));
    } else {
      throw wrong("not understood: " + line);
    }
  }
  if (manifest.layers.empty())
    throw Error{"it names no layers", Error::Kind::input}.at({"/manifest", number, 1});
  return manifest;
}

fs::path find_layers(const Manifest& manifest, const Coldplug& coldplug, ModuleLoader& modules) {
  if (fs::exists("/layers")) {
    if (const auto lack = missing(manifest, "/layers"); !lack.empty())
      throw Error{"the initrd lacks layer " + lack}.hint("it was not loaded whole");
    return "/layers";
  }
  std::vector<std::string> tried;
  const auto has_layers = [&](const Device& device) {
    const auto kind = std::ranges::find(kMediumKinds, device.label, &MediumKind::label);
    if (kind == kMediumKinds.end() || device.type != kind->type) return false;
    try {
      for (const auto& module : words(kind->modules)) modules.load(module);
      mount_one({device.path, kMediumFolder, device.type, MS_RDONLY | MS_NODEV | MS_NOSUID,
                 std::string{kind->options}});
    } catch (const Error& error) {
      tried.push_back(error.what());
      return false;
    }
    const auto lack = missing(manifest, fs::path{kMediumFolder} / "layers");
    if (lack.empty()) return true;
    tried.push_back(fmt::format("{} ({}) lacks {}", device.path, device.label, lack));
    ::umount2(kMediumFolder, MNT_DETACH);
    return false;
  };
  const auto medium = wait_for_device(
      has_layers, coldplug,
      {.absent_seconds = kMediumSeconds,
       .message = fmt::format("waiting for the medium with the layers ({})", medium_labels())});
  if (medium) {
    log::info(fmt::format("{:.2f} booted from {}", uptime(), medium->path));
    return fs::path{kMediumFolder} / "layers";
  }
  const auto devices = block_devices();
  throw Error{fmt::format("no layers found: none in the initrd, and no disk or CD labelled {} "
                          "has those of version {}",
                          medium_labels(), manifest.version)}
      .hint(!tried.empty()    ? join(tried, "; ")
            : devices.empty() ? "no disk and no CD was found at all"
                              : "these devices were looked at: " + join(devices, " "));
}

LayerCheck::LayerCheck(const Manifest& manifest, const fs::path& folder) {
  auto layers = manifest.layers;
  std::ranges::sort(layers, {}, &LayerFile::size);
  for (const auto& layer : layers) {
    // The boot waits for the others first, and the largest would only be in their way.
    const bool largest = &layer == &layers.back();
    const auto before = largest ? pending_ : std::vector<Pending>{};
    pending_.push_back({layer.name, layer.file, layer.sha256, largest, {}});
    std::promise<std::string> failed;
    try {
      auto file = std::make_shared<Fd>(open_file((folder / layer.file).string(), O_RDONLY));
      pending_.back().digest = std::async(std::launch::async, [file, before] {
        for (const auto& other : before) other.digest.wait();
        return sha256_fd(file->get());
      });
    } catch (const Error&) {
      failed.set_exception(std::current_exception());
      pending_.back().digest = failed.get_future();
    }
  }
}

void LayerCheck::wait(bool all) {
  std::vector<std::string> problems;
  for (const auto& layer : pending_) {
    if (layer.largest && !all) continue;
    try {
      if (layer.digest.get() != layer.sha256)
        problems.push_back(
            fmt::format("layer {} is damaged: the SHA-256 of {} is wrong", layer.name, layer.file));
    } catch (const std::exception& error) {
      problems.push_back(fmt::format("layer {} cannot be read: {}", layer.name, error.what()));
    }
  }
  if (!problems.empty())
    throw Error{join(problems, "\n")}.hint("write or download the image again");
}

void mount_layers(const Manifest& manifest, const fs::path& folder, const fs::path& root) {
  // Side by side: making a loop device is mostly waiting.
  std::string lower;
  std::vector<std::future<void>> mounted;
  for (const auto& layer : manifest.layers) {
    const fs::path target = fs::path{kLayersFolder} / layer.name;
    mounted.push_back(std::async(std::launch::async, [file = folder / layer.file, target] {
      fs::create_directories(target);
      const auto [loop, device] = attach_loop(file);
      mount_one({device, target.string(), "squashfs", MS_RDONLY | MS_NODEV, ""});
    }));
    lower = target.string() + (lower.empty() ? "" : ":") + lower;
  }
  for (auto& layer : mounted) layer.get();
  // What is written to / lives here: it must take set-user-id programs, which /run does not.
  mount_one({"tmpfs", kMemoryFolder, "tmpfs", 0, "mode=0755"});
  const fs::path memory{kMemoryFolder};
  fs::create_directories(memory / "upper");
  fs::create_directories(memory / "work");
  mount_one({"overlay", root.string(), "overlay", 0,
             fmt::format("lowerdir={},upperdir={},workdir={}", lower, (memory / "upper").string(),
                         (memory / "work").string())});
}

}  // namespace ros
