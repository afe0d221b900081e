#include "builder/assemble/layer.h"

#include <fmt/format.h>

#include <algorithm>

#include "builder/assemble/ld_cache.h"
#include "builder/assemble/unpack.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;

struct Package {
  std::string name;
  std::string control;
  Tree tree;
};

// base-files first: it brings bin -> usr/bin and its like, which every later
// path goes through. The others by name.
std::vector<Package> read_packages(const std::vector<fs::path>& folders) {
  std::vector<Package> packages;
  for (const auto& folder : folders) {
    std::string control = read_control(folder);
    std::string name = control_field(control, "Package");
    packages.push_back({std::move(name), std::move(control), read_package(folder)});
  }
  std::ranges::sort(packages, [](const Package& a, const Package& b) {
    return std::pair(a.name != "base-files", a.name) < std::pair(b.name != "base-files", b.name);
  });
  return packages;
}

// Whether `control` declares that its package may overwrite files of `other`.
bool replaces(const std::string& control, const std::string& other) {
  for (const auto& item : ros::split(control_field(control, "Replaces"), ','))
    if (const auto parts = ros::words(item); !parts.empty() && parts[0] == other) return true;
  return false;
}

bool same_file(const Entry& a, const Entry& b) {
  return a.type == b.type && a.target == b.target && a.content.size() == b.content.size() &&
         a.content.read() == b.content.read();
}

void merge_packages(Tree& tree, const std::vector<Package>& packages) {
  std::map<std::string, const Package*> owners;
  ros::Problems problems;
  for (const auto& package : packages) {
    for (const auto& [path, entry] : package.tree.entries()) {
      if (entry.type != EntryType::directory) {
        const Package*& owner = owners[path];
        const Entry* old = owner ? tree.find(path) : nullptr;
        if (old && old->type != EntryType::directory && !same_file(*old, entry)) {
          if (replaces(owner->control, package.name)) continue;
          if (!replaces(package.control, owner->name))
            problems.add(Error{
                fmt::format("packages {} and {} both ship {}", owner->name, package.name, path)});
        }
        owner = &package;
      }
      tree.put(path, entry);
    }
  }
  problems.throw_if_any();
}

bool has_children(const Tree& tree, const std::string& path) {
  const auto child = tree.entries().lower_bound(path + "/");
  return child != tree.entries().end() && child->first.starts_with(path + "/");
}

// Links of the layers below that lead to folders ("bin", "var/run"), and those
// folders. Without them, a file in bin/ would make a folder that hides the link.
Tree shared_links(const Tree& under) {
  Tree links;
  for (const auto& [path, entry] : under.entries()) {
    if (entry.type != EntryType::symlink || std::ranges::count(path, '/') > 1) continue;
    const std::string folder = under.resolve(path);
    const Entry* target = under.find(folder);
    if (!target || target->type != EntryType::directory) continue;
    links.put(folder, *target);
    links.put(path, entry);
  }
  return links;
}

// What the layers below have just so is not packed again: what shared_links lent, and a kernel's
// modules under a layer that adds some to them.
void drop_repeated(Tree& tree, const Tree& under, const LayerSpec& spec) {
  std::vector<std::string> repeated;  // folders behind what is in them
  for (auto it = tree.entries().rbegin(); it != tree.entries().rend(); ++it) {
    const auto& [path, entry] = *it;
    const Entry* lower = under.find(path);
    if (lower && !spec.directories.contains(path) && entry.mode == lower->mode &&
        entry.uid == lower->uid && entry.gid == lower->gid && same_file(entry, *lower))
      repeated.push_back(path);
  }
  for (const auto& path : repeated)
    if (!has_children(tree, path)) tree.remove(path);
}

bool is_licence(const std::string& path) {
  const auto parts = ros::split(path, '/');
  return path.starts_with("usr/share/doc/") &&
         (parts.size() == 4 || (parts.size() == 5 && parts[4] == "copyright"));
}

class Globs {
 public:
  explicit Globs(const std::vector<std::string>& patterns) {
    for (const auto& pattern : patterns)
      patterns_.emplace_back(pattern, pattern.substr(0, pattern.find_first_of("*?[\\")));
  }
  bool match(const std::string& path) const {
    return std::ranges::any_of(patterns_, [&](const auto& each) {
      // "usr/share/doc/**" also means the folder itself, hence the slash.
      return (path + "/").starts_with(each.second) && ros::glob_match(each.first, path);
    });
  }

 private:
  std::vector<std::pair<std::string, std::string>> patterns_;  // and their literal start
};

void filter(Tree& tree, const LayerSpec& spec) {
  const Globs remove{spec.remove};
  const Globs keep{spec.keep};
  std::vector<std::string> folders;
  std::vector<std::string> others;
  for (const auto& [path, entry] : tree.entries()) {
    if (!remove.match(path) || keep.match(path)) continue;
    const bool folder = entry.type == EntryType::directory;
    if (!folder && is_licence(path)) continue;
    (folder ? folders : others).push_back(path);
  }
  for (const auto& path : others) tree.remove(path);
  // Deepest first, and only when nothing in it stayed.
  for (auto it = folders.rbegin(); it != folders.rend(); ++it)
    if (!has_children(tree, *it)) tree.remove(*it);
}

std::string text_of(const Tree& tree, std::string_view path) {
  const Entry* entry = tree.find(path);
  return entry ? entry->content.read() : std::string{};
}

void put_text(Tree& tree, std::string_view path, std::string text, std::int64_t epoch) {
  tree.put(path, Entry{.mtime = epoch, .content = std::move(text)});
}

// One bundle of all authorities, where OpenSSL, GnuTLS and Go look for it.
void put_ca_bundle(Tree& tree, std::int64_t epoch) {
  std::string bundle;
  for (const auto& [path, entry] : tree.entries())
    if (path.starts_with("usr/share/ca-certificates/mozilla/") && path.ends_with(".crt")) {
      bundle += entry.content.read();
      if (!bundle.ends_with('\n')) bundle += '\n';
    }
  if (!bundle.empty()) put_text(tree, "etc/ssl/certs/ca-certificates.crt", bundle, epoch);
}

// What scanners for known vulnerabilities read.
void put_package_record(Tree& tree, const Tree& under, const std::vector<Package>& packages,
                        std::int64_t epoch) {
  if (packages.empty()) return;
  std::string status = text_of(under, "var/lib/dpkg/status");
  std::vector<std::pair<std::string, std::string>> records;
  for (const auto& package : packages) {
    std::string record = fmt::format("Package: {}\nStatus: install ok installed\n", package.name);
    for (const char* name : {"Maintainer", "Architecture", "Multi-Arch", "Source", "Version"})
      if (const auto value = control_field(package.control, name); !value.empty())
        record += fmt::format("{}: {}\n", name, value);
    records.emplace_back(package.name, record + "\n");
  }
  std::ranges::sort(records);
  for (const auto& [name, record] : records) status += record;
  put_text(tree, "var/lib/dpkg/status", status, epoch);
}

// Accounts as they are up to and including this layer.
Accounts make_accounts(const Tree& tree, const Tree& under, const LayerSpec& spec) {
  const bool base = tree.contains("usr/share/base-passwd/passwd.master");
  Accounts accounts{
      base ? text_of(tree, "usr/share/base-passwd/passwd.master") : text_of(under, "etc/passwd"),
      base ? text_of(tree, "usr/share/base-passwd/group.master") : text_of(under, "etc/group")};
  for (const auto& group : spec.groups) accounts.add(group);
  for (const auto& user : spec.users) accounts.add(user);
  return accounts;
}

void put_directories(Tree& tree, const LayerSpec& spec, const Accounts& accounts) {
  for (const auto& [path, wanted] : spec.directories) {
    Entry entry{.type = EntryType::directory, .mode = wanted.mode, .mtime = spec.epoch};
    try {
      if (!wanted.owner.empty()) {
        entry.uid = accounts.uid(wanted.owner);
        entry.gid = accounts.primary_gid(wanted.owner);
      }
      if (!wanted.group.empty()) entry.gid = accounts.gid(wanted.group);
    } catch (Error& error) {
      throw std::move(error).at(wanted.at);
    }
    tree.put(path, entry);
  }
}

// A folder that a layer below has too shows the upper one's mode and owner in
// the overlay; so it takes over the lower one's unless the recipe says otherwise.
void adopt_folders(Tree& tree, const Tree& under, const LayerSpec& spec) {
  std::vector<std::pair<std::string, Entry>> adopted;
  for (const auto& [path, entry] : tree.entries()) {
    if (entry.type != EntryType::directory || spec.directories.contains(path)) continue;
    const Entry* lower = under.find(path);
    if (lower && lower->type == EntryType::directory) adopted.emplace_back(path, *lower);
  }
  for (auto& [path, entry] : adopted) tree.put(path, std::move(entry));
}

}  // namespace

Tree make_layer(const LayerSpec& spec) {
  Tree under;
  for (const Tree* lower : spec.below) under.merge(*lower);
  const Tree links = shared_links(under);
  const std::vector<Package> packages = read_packages(spec.packages);

  Tree tree = links;
  merge_packages(tree, packages);
  put_ca_bundle(tree, spec.epoch);
  const bool base = tree.contains("usr/share/base-passwd/passwd.master");
  const Accounts accounts = make_accounts(tree, under, spec);
  filter(tree, spec);
  put_package_record(tree, under, packages, spec.epoch);
  if (base || !spec.users.empty() || !spec.groups.empty()) accounts.write(tree, spec.epoch);
  // An empty file: the running system writes its own id there.
  if (base) put_text(tree, "etc/machine-id", "", spec.epoch);

  tree.merge(spec.files);
  for (const auto& [path, target] : spec.links)
    tree.put(
        path,
        Entry{.type = EntryType::symlink, .mode = 0777, .mtime = spec.epoch, .target = target});
  put_directories(tree, spec, accounts);
  if (has_libraries(tree, spec.arch)) {
    Tree whole = under;
    whole.merge(tree);
    put_text(tree, "etc/ld.so.cache", make_ld_cache(whole, spec.arch), spec.epoch);
  }

  adopt_folders(tree, under, spec);
  drop_repeated(tree, under, spec);
  tree.clamp_times(spec.epoch);
  return tree;
}

}  // namespace rosbuild
