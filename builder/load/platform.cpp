// Platforms are read in two steps. A Draft is what one file says, with absent
// told from empty; all that can be judged from the file alone is judged there,
// once. Then drafts are merged along `extends`. A problem of a merged platform
// is reported only where its own file caused it, not again for every heir.
#include "builder/load/platform.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/load/folder.h"
#include "builder/load/yaml.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

const std::vector<std::string> kDatasources{
    "aliyun", "azure",   "cloudstack", "configdrive", "digitalocean", "ec2",   "exoscale",
    "gce",    "nocloud", "openstack",  "packet",      "proxmox",      "vmware"};
const std::vector<std::string> kOurFiles{"checksums.txt", "version.txt"};

struct Words {  // a list that may be replaced (`key`) and appended to (`+key`)
  std::optional<std::vector<Text>> replace;
  std::vector<Text> append;

  std::vector<Text> over(const std::vector<Text>& inherited) const {
    auto merged = replace.value_or(inherited);
    merged.insert(merged.end(), append.begin(), append.end());
    return merged;
  }
};

struct ArtifactDraft {
  Text name;
  std::optional<Located<Format>> format;
  std::optional<Located<std::uint64_t>> size;
  Words cmdline;
};

struct Draft {
  Text name;
  Text extends;
  Text description;
  Text arch;
  Words layers;
  Words cmdline;
  Words datasources;
  std::vector<ArtifactDraft> artifacts;
  bool more_artifacts = false;  // than the inherited ones
};

// By name; nothing for a file that could not be read.
using Drafts = std::map<std::string, std::optional<Draft>>;

Words read_words(MapReader& reader, const std::string& key) {
  Words words;
  if (const auto* node = reader.find(key))
    words.replace = read_texts(*node, reader.problems()).value_or(std::vector<Text>{});
  words.append = reader.texts("+" + key);
  return words;
}

// Adds a problem for each word that is not among `known`.
void check_known(const Words& words, const char* what, const std::vector<std::string>& known,
                 ros::Problems& problems) {
  for (const auto& word : words.over({}))
    if (std::ranges::find(known, word.value) == known.end())
      problems.add(problem(word.at, fmt::format("unknown {} '{}'", what, word.value),
                           suggestion(word.value, known)));
}

// A word with a blank or quote would become two on the way through boot loaders.
void check_cmdline(const Words& words, ros::Problems& problems) {
  for (const auto& word : words.over({}))
    if (word.value.find_first_of(" \t\n\"'\\") != std::string::npos)
      problems.add(problem(word.at, fmt::format("'{}' is not one kernel parameter", word.value),
                           "one item a word, without blanks, quotes or backslashes"));
}

std::optional<Located<Format>> read_format(MapReader& reader) {
  const auto text = reader.text("format");
  if (text.value.empty()) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& [format, name] : formats()) {
    if (name == text.value) return Located<Format>{format, text.at};
    names.push_back(name);
  }
  reader.problems().add(problem(text.at, fmt::format("unknown format '{}'", text.value),
                                suggestion(text.value, names)));
  // Stands in for the unknown one, so that it is not called missing as well.
  return Located<Format>{Format::kernel, {}};
}

ArtifactDraft read_artifact(const Node& node, ros::Problems& problems) {
  MapReader reader(node, "artifact", problems);
  ArtifactDraft artifact;
  artifact.name = reader.required_text("name");
  if (!artifact.name.value.empty()) check_inside(artifact.name, problems);
  if (std::ranges::count(kOurFiles, artifact.name.value) > 0)
    problems.add(
        problem(artifact.name.at, fmt::format("'{}' is written by rosbuild", artifact.name.value)));
  artifact.format = read_format(reader);
  if (const auto* size = reader.find("size")) {
    // Without a position: given, but not readable, which has been reported.
    artifact.size = Located<std::uint64_t>{};
    if (const auto bytes = read_bytes(*size, problems)) artifact.size = {*bytes, size->at};
  }
  artifact.cmdline = read_words(reader, "cmdline");
  check_cmdline(artifact.cmdline, problems);
  reader.finish();
  return artifact;
}

std::vector<ArtifactDraft> read_artifacts(const Node& node, ros::Problems& problems) {
  std::vector<ArtifactDraft> artifacts;
  if (node.kind != Node::Kind::list) read_texts(node, problems);  // for its message
  for (const auto& item : node.items) {
    auto artifact = read_artifact(item, problems);
    if (artifact.name.value.empty()) continue;
    const auto earlier = std::ranges::find(artifacts, artifact.name.value,
                                           [](const auto& other) { return other.name.value; });
    if (earlier == artifacts.end())
      artifacts.push_back(std::move(artifact));
    else
      problems.add(
          problem(artifact.name.at, fmt::format("artifact '{}' stands twice; first in line {}",
                                                artifact.name.value, earlier->name.at.line)));
  }
  return artifacts;
}

Draft read_draft(const Node& document, const std::string& stem,
                 const std::vector<std::string>& layers, ros::Problems& problems) {
  MapReader reader(document, "platform", problems);
  Draft draft;
  draft.name = read_name(reader, stem);
  draft.extends = reader.text("extends");
  draft.description = reader.required_text("description");
  const bool alone = draft.extends.value.empty();
  draft.arch = alone ? reader.required_text("arch") : reader.text("arch");
  if (alone) reader.require("layers");
  draft.layers = read_words(reader, "layers");
  draft.cmdline = read_words(reader, "cmdline");
  draft.datasources = read_words(reader, "datasources");
  const auto* artifacts = reader.find("artifacts");
  const auto* more = reader.find("+artifacts");
  if (artifacts && more)
    problems.add(problem(more->at, "'artifacts' and '+artifacts' exclude each other"));
  draft.more_artifacts = more != nullptr;
  if (artifacts || more) draft.artifacts = read_artifacts(artifacts ? *artifacts : *more, problems);
  reader.finish();

  check_arch(draft.arch, problems);
  check_known(draft.layers, "layer", layers, problems);
  check_known(draft.datasources, "datasource", kDatasources, problems);
  check_cmdline(draft.cmdline, problems);
  return draft;
}

void merge_artifact(Platform& platform, const ArtifactDraft& draft, ros::Problems& problems) {
  auto found = std::ranges::find(platform.artifacts, draft.name.value, &ArtifactSpec::name);
  if (found == platform.artifacts.end()) {
    found = platform.artifacts.insert(found, ArtifactSpec{.name = draft.name.value});
    if (!draft.format)
      problems.add(
          problem(draft.name.at, fmt::format("artifact '{}' has no 'format'", draft.name.value)));
  }
  found->at = draft.name.at;
  if (draft.format) {
    found->format = draft.format->value;
    found->format_at = draft.format->at;
  }
  if (draft.size) found->size = draft.size;
  found->cmdline = draft.cmdline.over(found->cmdline);
}

Platform merge(Platform platform, const Draft& draft, ros::Problems& problems) {
  platform.name = draft.name.value;
  platform.at = draft.name.at;
  platform.description = draft.description.value;
  if (!draft.arch.value.empty()) platform.arch = draft.arch;
  platform.layers = draft.layers.over(platform.layers);
  platform.cmdline = draft.cmdline.over(platform.cmdline);
  std::vector<Text> inherited;
  for (const auto& name : platform.datasources) inherited.push_back({name, {}});
  platform.datasources = values(draft.datasources.over(inherited));
  if (!draft.artifacts.empty() && !draft.more_artifacts) platform.artifacts.clear();
  for (const auto& artifact : draft.artifacts) merge_artifact(platform, artifact, problems);

  std::set<std::string> seen;
  for (const auto& layer : platform.layers)
    if (!seen.insert(layer.value).second && layer.at.file == draft.name.at.file)
      problems.add(problem(layer.at, fmt::format("layer '{}' stands twice", layer.value)));
  return platform;
}

// Follows `extends` from every draft. Each platform is merged once, after its
// parent; one that leads into a circle or to an unknown name is left out.
class Family {
 public:
  Family(const Drafts& drafts, ros::Problems& problems) : drafts_(drafts), problems_(problems) {}

  std::map<std::string, Platform> resolve() {
    for (const auto& [name, draft] : drafts_) find(name);
    return std::move(done_);
  }

 private:
  // nullptr when the platform cannot be had; the reason has been reported.
  const Platform* find(const std::string& name) {
    if (const auto done = done_.find(name); done != done_.end()) return &done->second;
    if (failed_.contains(name)) return nullptr;
    if (const auto open = std::ranges::find(path_, name); open != path_.end()) {
      report_circle({open, path_.end()});
      return nullptr;
    }
    const auto& draft = drafts_.at(name);
    path_.push_back(name);
    auto platform = draft ? make(*draft) : std::nullopt;
    path_.pop_back();
    if (!platform) {
      failed_.insert(name);
      return nullptr;
    }
    return &done_.emplace(name, std::move(*platform)).first->second;
  }

  std::optional<Platform> make(const Draft& draft) {
    const auto& parent_name = draft.extends.value;
    if (parent_name.empty()) return merge({}, draft, problems_);
    if (!drafts_.contains(parent_name)) {
      std::vector<std::string> others;
      for (const auto& [name, other] : drafts_)
        if (name != draft.name.value) others.push_back(name);
      problems_.add(problem(draft.extends.at, fmt::format("unknown platform '{}'", parent_name),
                            suggestion(parent_name, others)));
      return std::nullopt;
    }
    const auto* parent = find(parent_name);
    if (parent == nullptr) return std::nullopt;
    return merge(*parent, draft, problems_);
  }

  void report_circle(const std::vector<std::string>& members) {
    std::string text = "platforms extend each other in a circle: " + ros::join(members, " -> ") +
                       " -> " + members.front();
    for (const auto& member : members) {
      const auto& extends = drafts_.at(member)->extends;
      text += fmt::format("\n  {}:{}:{}: '{}' extends '{}'", extends.at.file, extends.at.line,
                          extends.at.column, member, extends.value);
    }
    problems_.add(problem(drafts_.at(members.front())->extends.at, text));
  }

  const Drafts& drafts_;
  ros::Problems& problems_;
  std::map<std::string, Platform> done_;
  std::set<std::string> failed_;
  std::vector<std::string> path_;  // names whose parents are being followed
};

template <class Value>
std::vector<std::string> names_of(const std::map<std::string, Value>& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

}  // namespace

const std::vector<std::pair<Format, std::string>>& formats() {
  static const std::vector<std::pair<Format, std::string>> all{
      {Format::kernel, "kernel"},
      {Format::initrd, "initrd"},
      {Format::rootfs, "rootfs"},
      {Format::ipxe, "ipxe"},
      {Format::sbom, "sbom"},
      {Format::release, "release"},
      {Format::iso, "iso"},
      {Format::raw, "raw"},
      {Format::qcow2, "qcow2"},
      {Format::vmdk, "vmdk"},
      {Format::ova, "ova"},
      {Format::vhd, "vhd"},
      {Format::vhd_fixed, "vhd-fixed"},
      {Format::vhd_zip, "vhd-zip"},
      {Format::vhdx, "vhdx"},
      {Format::vhdx_zip, "vhdx-zip"},
      {Format::gce, "gce"},
      {Format::zip, "zip"},
      {Format::pi, "pi"},
  };
  return all;
}

const char* only_arch(Format format) {
  // The machine that an OVA describes is a PC.
  if (format == Format::ova) return "amd64";
  return format == Format::pi ? "arm64" : nullptr;
}

bool is_disk(Format format) {
  static constexpr Format kOthers[] = {Format::kernel, Format::initrd, Format::rootfs,
                                       Format::ipxe,   Format::sbom,   Format::release,
                                       Format::iso};
  return std::ranges::count(kOthers, format) == 0;
}

const std::string& name_of(Format format) {
  return std::ranges::find(formats(), format, [](const auto& known) { return known.first; })
      ->second;
}

const ArtifactSpec* find_artifact(const Platform& platform, Format format) {
  const auto found = std::ranges::find(platform.artifacts, format, &ArtifactSpec::format);
  return found == platform.artifacts.end() ? nullptr : &*found;
}

std::string command_line(const Platform& platform, const ArtifactSpec& artifact) {
  auto words = values(platform.cmdline);
  for (const auto& word : artifact.cmdline) words.push_back(word.value);
  return ros::join(words, " ");
}

Recipes load_all(const fs::path& root, ros::Problems& problems) {
  Recipes recipes;
  recipes.root = root;
  recipes.distribution = load_distribution(root, problems);
  recipes.layers = load_layers(root, problems);
  Drafts drafts;
  for_each_document(
      below(root, "platforms"), problems, [&](const Node* document, const std::string& stem) {
        if (document == nullptr) {
          drafts.emplace(stem, std::nullopt);
          return;
        }
        drafts.emplace(stem, read_draft(*document, stem, names_of(recipes.layers), problems));
      });
  recipes.platforms = Family(drafts, problems).resolve();
  return recipes;
}

Recipes load_all(const fs::path& root) {
  ros::Problems problems;
  auto recipes = load_all(root, problems);
  problems.throw_if_any();
  return recipes;
}

std::vector<const Platform*> select_platforms(const Recipes& recipes,
                                              const std::vector<std::string>& names,
                                              const std::string& arch) {
  ros::Problems problems;
  std::vector<const Platform*> chosen;
  const auto choose = [&](const Platform& platform) {
    if (std::ranges::find(chosen, &platform) == chosen.end()) chosen.push_back(&platform);
  };
  for (const auto& name : names) {
    if (name == "all") {
      for (const auto& [unused, platform] : recipes.platforms)
        if (arch.empty() || platform.arch.value == arch) choose(platform);
    } else if (const auto found = recipes.platforms.find(name); found != recipes.platforms.end()) {
      choose(found->second);
    } else {
      problems.add(problem({}, fmt::format("unknown platform '{}'", name),
                           suggestion(name, names_of(recipes.platforms))));
    }
  }
  problems.throw_if_any();
  return chosen;
}

}  // namespace rosbuild
