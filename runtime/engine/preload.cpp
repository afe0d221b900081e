#include "runtime/engine/preload.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"

namespace ros {
namespace {

using nlohmann::json;

constexpr const char* kPrefix = "ros-";                 // cache IDs that are ours
constexpr const char* kLabel = "io.rancher.os.layers";  // images that are ours

// Docker makes 26 random characters; any short name that is unique will do.
std::string short_link(const std::string& cache_id) {
  std::string text = sha256(cache_id).substr(0, 26);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

void replace_link(const fs::path& target, const fs::path& link) {
  boost::system::error_code error;
  if (fs::read_symlink(link, error) == target) return;
  fs::remove_all(link);
  fs::create_symlink(target, link);
}

// Not synced: what a power failure spoils is written anew by the next boot.
void write_if_other(const fs::path& path, const std::string& text) {
  if (try_read_file(path) != text) write_file(path, text, 0600);
}

template <typename Visit>
void each_entry(const fs::path& folder, const Visit& visit) {
  boost::system::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator it{folder, error}, end; !error && it != end; it.increment(error))
    found.push_back(it->path());
  for (const auto& path : found) visit(path);
}

struct Ids {
  std::string cache_id, diff_id, chain_id;
};

// Chain IDs: the OCI image specification, "Layer ChainID".
std::vector<Ids> ids_of(const std::vector<PreloadedLayer>& layers) {
  std::vector<Ids> all;
  for (const auto& layer : layers) {
    const std::string diff = "sha256:" + layer.digest;
    all.push_back({fmt::format("{}{}-{}", kPrefix, layer.name, layer.digest.substr(0, 16)), diff,
                   all.empty() ? diff : "sha256:" + sha256(all.back().chain_id + " " + diff)});
  }
  return all;
}

// overlay2/ID: a folder of the graph driver.
void write_driver_folders(const fs::path& overlay2, const std::vector<PreloadedLayer>& layers,
                          const std::vector<Ids>& ids) {
  fs::create_directories(overlay2 / "l");
  std::string lower;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string link = short_link(ids[i].cache_id);
    const fs::path folder = overlay2 / ids[i].cache_id;
    fs::create_directories(folder / "work");
    replace_link(layers[i].folder, folder / "diff");
    write_if_other(folder / "link", link);
    if (lower.empty())
      fs::remove(folder / "lower");
    else
      write_if_other(folder / "lower", lower);
    write_if_other(folder / "committed", "");
    replace_link(fs::path{".."} / ids[i].cache_id / "diff", overlay2 / "l" / link);
    lower = "l/" + link + (lower.empty() ? "" : ":") + lower;
  }
}

// image/overlay2/layerdb: what the layer store knows of each.
void write_layer_store(const fs::path& store, const std::vector<Ids>& ids) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const fs::path folder = store / "sha256" / ids[i].chain_id.substr(7);
    write_if_other(folder / "cache-id", ids[i].cache_id);
    write_if_other(folder / "diff", ids[i].diff_id);
    write_if_other(folder / "size", "0");
    if (i > 0) write_if_other(folder / "parent", ids[i - 1].chain_id);
  }
}

// Everything of ours that is not of this version: the folders must go in both
// places, or Docker finds one without the other.
void remove_stale(const fs::path& data_root, const std::vector<Ids>& ids) {
  const auto stale = [&](const std::string& cache_id) {
    return cache_id.starts_with(kPrefix) &&
           std::none_of(ids.begin(), ids.end(),
                        [&](const Ids& id) { return id.cache_id == cache_id; });
  };
  // A layer that stays has another chain ID over other layers.
  const auto in_chain = [&](const fs::path& name) {
    return std::any_of(ids.begin(), ids.end(),
                       [&](const Ids& id) { return id.chain_id == "sha256:" + name.string(); });
  };
  each_entry(data_root / "image/overlay2/layerdb/sha256", [&](const fs::path& folder) {
    if (try_read_file(folder / "cache-id").value_or("").starts_with(kPrefix) &&
        !in_chain(folder.filename()))
      fs::remove_all(folder);
  });
  each_entry(data_root / "overlay2", [&](const fs::path& folder) {
    const std::string name = folder.filename().string();
    if (!stale(name)) return;
    fs::remove(data_root / "overlay2/l" / short_link(name));
    fs::remove_all(folder);
  });
}

std::string image_config(const std::vector<Ids>& ids) {
  json diff_ids = json::array();
  for (const auto& id : ids) diff_ids.push_back(id.diff_id);
  return json{{"architecture",
#if defined(__aarch64__)
               "arm64"
#else
               "amd64"
#endif
              },
              {"os", "linux"},
              {"created", "1970-01-01T00:00:00Z"},
              {"config",
               {{"Env", {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}},
                {"Cmd", {"/bin/bash"}},
                {"Labels", {{kLabel, "mounted"}}}}},
              {"rootfs", {{"type", "layers"}, {"diff_ids", diff_ids}}}}
      .dump();
}

// The configurations of ours that are not of this version.
void remove_stale_images(const fs::path& imagedb, const std::string& image) {
  each_entry(imagedb / "content/sha256", [&](const fs::path& file) {
    if (file.filename() == image) return;
    const json config = json::parse(try_read_file(file).value_or(""), nullptr, false);
    if (!config.is_object() ||
        !config.contains(json::json_pointer{std::string{"/config/Labels/"} + kLabel}))
      return;
    fs::remove(file);
    fs::remove_all(imagedb / "metadata/sha256" / file.filename());
  });
}

void write_repositories(const fs::path& file, const std::string& repository, const std::string& tag,
                        const std::string& image) {
  json root = json::parse(try_read_file(file).value_or(""), nullptr, false);
  if (!root.is_object()) root = json::object();  // empty after a power failure, at worst
  if (!root["Repositories"].is_object()) root["Repositories"] = json::object();
  root["Repositories"][repository] = {{repository + ":" + tag, image},
                                      {repository + ":latest", image}};
  const std::string text = root.dump();
  write_file_if_changed(file, text, 0600);
}

}  // namespace

std::string write_preloaded_image(const fs::path& data_root, const std::string& repository,
                                  const std::string& tag,
                                  const std::vector<PreloadedLayer>& layers) {
  const auto ids = ids_of(layers);
  const fs::path graph = data_root / "image/overlay2";
  remove_stale(data_root, ids);
  write_driver_folders(data_root / "overlay2", layers, ids);
  write_layer_store(graph / "layerdb", ids);
  const std::string config = image_config(ids);
  const std::string image = sha256(config);
  remove_stale_images(graph / "imagedb", image);
  write_if_other(graph / "imagedb/content/sha256" / image, config);
  write_repositories(graph / "repositories.json", repository, tag, "sha256:" + image);
  return "sha256:" + image;
}

}  // namespace ros
