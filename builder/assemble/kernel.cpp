#include "builder/assemble/kernel.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "builder/assemble/elf.h"
#include "builder/assemble/module_list.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;

constexpr std::string_view kModules = "usr/lib/modules/";

std::string text_of(const Tree& tree, const std::string& path) {
  const Entry* entry = tree.find(path);
  return entry ? entry->content.read() : std::string{};
}

// The one version below boot/.
std::string find_version(const Tree& packages) {
  constexpr std::string_view kImage = "boot/vmlinuz-";
  std::vector<std::string> versions;
  for (auto it = packages.entries().lower_bound(kImage);
       it != packages.entries().end() && it->first.starts_with(kImage); ++it)
    versions.push_back(it->first.substr(kImage.size()));
  if (versions.size() != 1)
    throw Error{fmt::format("expected one kernel in the kernel packages, found {}{}",
                            versions.size(),
                            versions.empty() ? "" : ": " + ros::join(versions, ", "))};
  return versions[0];
}

// Path below modules/VERSION/ -> stem ("kernel/fs/ext4/ext4.ko.xz" -> "fs/ext4/ext4");
// empty for what is no module.
std::string stem_of(std::string_view path) {
  constexpr std::string_view kKernel = "kernel/";
  if (!path.starts_with(kKernel)) return {};
  path.remove_prefix(kKernel.size());
  for (const std::string_view suffix : {".ko", ".ko.xz", ".ko.zst", ".ko.gz"})
    if (path.ends_with(suffix)) return std::string(path.substr(0, path.size() - suffix.size()));
  return {};
}

struct Modules {
  ModuleNames names;
  std::map<std::string, const Entry*> files;  // by stem
  std::string folder;                         // "usr/lib/modules/VERSION/"
};

Modules find_modules(const Tree& tree, const std::string& version) {
  Modules modules;
  modules.folder = fmt::format("{}{}/", kModules, version);
  for (auto it = tree.entries().lower_bound(modules.folder);
       it != tree.entries().end() && it->first.starts_with(modules.folder); ++it) {
    const std::string stem = stem_of(std::string_view(it->first).substr(modules.folder.size()));
    if (stem.empty() || it->second.type != EntryType::file) continue;
    modules.names.add(stem);
    modules.files[stem] = &it->second;
  }
  for (const auto& line : ros::split(text_of(tree, modules.folder + "modules.builtin"), '\n'))
    if (const auto stem = stem_of(line); !stem.empty())
      modules.names.add_builtin(ModuleNames::name_of(stem));
  return modules;
}

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};

std::string decompress(const std::string& bytes, const std::string& what) {
  if (bytes.starts_with("\177ELF")) return bytes;
  const std::unique_ptr<archive, FreeArchive> reader{archive_read_new()};
  archive_read_support_format_raw(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_filter_gzip(reader.get());
  archive_entry* entry = nullptr;
  std::string plain;
  bool good = archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) == ARCHIVE_OK &&
              archive_read_next_header(reader.get(), &entry) == ARCHIVE_OK;
  while (good) {
    constexpr std::size_t kStep = 256 * 1024;
    const std::size_t size = plain.size();
    plain.resize(size + kStep);
    const la_ssize_t count = archive_read_data(reader.get(), plain.data() + size, kStep);
    plain.resize(size + (count > 0 ? static_cast<std::size_t>(count) : 0));
    good = count >= 0;
    if (count == 0) break;
  }
  if (!good) throw Error{fmt::format("module {} cannot be decompressed", what)};
  return plain;
}

struct Needs {
  std::vector<std::string> depends;   // must be there
  std::vector<std::string> softdeps;  // wanted when there
};

// Items of "softdep: pre: a b post: c" without the labels.
void add_softdeps(std::vector<std::string>& names, std::string_view text) {
  for (auto& word : ros::words(text))
    if (!word.ends_with(':')) names.push_back(std::move(word));
}

Needs read_needs(std::string_view module) {
  Needs needs;
  for (const auto& item : ros::split(elf_section(module, ".modinfo"), '\0')) {
    if (item.starts_with("depends=")) {
      for (auto& name : ros::split(item.substr(8), ','))
        if (!name.empty()) needs.depends.push_back(std::move(name));
    } else if (item.starts_with("softdep=")) {
      add_softdeps(needs.softdeps, item.substr(8));
    }
  }
  return needs;
}

// Calls work(i) for 0 … count-1 on every processor; the first exception travels on.
template <class Work>
void in_parallel(std::size_t count, const std::stop_token& stop, Work&& work) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::atomic_flag failed;
  const auto loop = [&] {
    try {
      for (std::size_t i; (i = next++) < count;) {
        if (stop.stop_requested()) throw Cancelled{};
        work(i);
      }
    } catch (...) {
      next = count;
      if (!failed.test_and_set()) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    const std::size_t wanted = std::min<std::size_t>(count, std::thread::hardware_concurrency());
    for (std::size_t i = 1; i < wanted; ++i) threads.emplace_back(loop);
    loop();
  }
  if (failure) std::rethrow_exception(failure);
}

std::vector<std::string> existing(const Modules& modules, const std::string& of,
                                  const Needs& needs) {
  std::vector<std::string> stems;
  for (const auto& name : needs.depends) {
    const std::string stem = modules.names.stem(name);
    if (stem.empty() && !modules.names.builtin(name))
      throw Error{fmt::format("module {} depends on {}, which the kernel does not have", of, name)};
    if (!stem.empty()) stems.push_back(stem);
  }
  for (const auto& name : needs.softdeps)
    if (const std::string stem = modules.names.stem(name); !stem.empty()) stems.push_back(stem);
  return stems;
}

// Lines of modules.order whose module was chosen.
std::string cut_order(const std::string& order, const std::set<std::string>& chosen) {
  std::string cut;
  for (const auto& line : ros::split(order, '\n'))
    if (chosen.contains(stem_of(line))) cut += line + "\n";
  return cut;
}

// Stems on a line of modules.dep: the module itself, then what it needs.
std::vector<std::string> parse_dep_line(const std::string& line) {
  std::vector<std::string> stems;
  for (auto word : ros::words(line)) {
    if (word.ends_with(':')) word.pop_back();
    stems.push_back(stem_of(word));
  }
  return stems;
}

}  // namespace

Kernel read_kernel(const Tree& packages) {
  const std::string version = find_version(packages);
  return {.version = version,
          .image = packages.find("boot/vmlinuz-" + version)->content,
          .config = text_of(packages, "boot/config-" + version)};
}

Tree read_device_trees(const Tree& packages) {
  const std::string folder =
      fmt::format("usr/lib/linux-image-{}/broadcom/bcm", find_version(packages));
  Tree trees;
  for (auto it = packages.entries().lower_bound(folder);
       it != packages.entries().end() && it->first.starts_with(folder); ++it)
    if (it->second.type == EntryType::file)
      trees.put(it->first.substr(it->first.rfind('/') + 1), it->second);
  if (trees.entries().empty())
    throw Error{"the kernel packages hold no device tree of a Raspberry Pi"};
  return trees;
}

void check_kernel_config(const Kernel& kernel, const std::string& required,
                         const std::string& required_file) {
  std::map<std::string, std::string> values;
  for (const auto& line : ros::split(kernel.config, '\n'))
    if (const auto equals = line.find('='); line.starts_with("CONFIG_") && equals != line.npos)
      values[line.substr(0, equals)] = line.substr(equals + 1);
  ros::Problems problems;
  int number = 0;
  for (const auto& raw : ros::split(required, '\n')) {
    ++number;
    const std::string line(ros::trim(raw));
    if (line.empty() || line.starts_with('#')) continue;
    const auto equals = line.find('=');
    const std::string name = line.substr(0, equals);
    const std::string wanted = equals == line.npos ? "" : line.substr(equals + 1);
    if (!name.starts_with("CONFIG_") || wanted.empty()) {
      problems.add(Error{fmt::format("expected CONFIG_NAME=value, found {}", line)}.at(
          {required_file, number, 1}));
      continue;
    }
    const auto found = values.find(name);
    const std::string value = found == values.end() ? "n" : found->second;
    if (value == wanted || (wanted == "m" && value == "y")) continue;
    problems.add(Error{
        fmt::format("kernel {} has {}={}, the OS needs {}", kernel.version, name, value, wanted)}
                     .at({required_file, number, 1}));
  }
  problems.throw_if_any();
}

void extract_modules(const Tree& packages, const std::vector<ModuleList>& lists,
                     const Toolbox& tools, const fs::path& out, std::stop_token stop) {
  const std::string version = find_version(packages);
  const Modules modules = find_modules(packages, version);
  const fs::path folder = out / modules.folder;

  // Level by level: what a module needs is known once it is decompressed.
  const auto first = modules.names.choose(lists);
  std::set<std::string> done = first;
  std::vector<std::string> level(first.begin(), first.end());
  while (!level.empty()) {
    std::vector<std::vector<std::string>> needed(level.size());
    in_parallel(level.size(), stop, [&](std::size_t i) {
      const std::string& stem = level[i];
      const std::string plain = decompress(modules.files.at(stem)->content.read(), stem);
      needed[i] = existing(modules, stem, read_needs(plain));
      ros::write_file(folder / "kernel" / (stem + ".ko"), plain);
    });
    std::vector<std::string> next;
    for (const auto& stems : needed)
      for (const auto& stem : stems)
        if (done.insert(stem).second) next.push_back(stem);
    level = std::move(next);
  }

  for (const char* name : {"modules.builtin", "modules.builtin.modinfo"})
    ros::write_file(folder / name, text_of(packages, modules.folder + name));
  ros::write_file(folder / "modules.order",
                  cut_order(text_of(packages, modules.folder + "modules.order"), done));
  // depmod looks in lib/modules, whatever the packages' layout.
  fs::create_symlink("usr/lib", out / "lib");
  run(tools.command("depmod", {"-C", "/dev/null", "-b", out.string(), version}), stop);
  // Only `modprobe symbol:x` reads these.
  for (const char* name : {"modules.symbols", "modules.symbols.bin"}) fs::remove(folder / name);
}

Tree read_modules(const fs::path& extracted, std::int64_t epoch) {
  Tree tree;
  const Tree usr = read_tree(extracted / "usr", epoch);
  tree.put("usr", Entry{.type = EntryType::directory, .mode = 0755, .mtime = epoch});
  for (const auto& [path, entry] : usr.entries()) tree.put("usr/" + path, entry);
  return tree;
}

Tree select_modules(const Tree& all, const std::vector<ModuleList>& lists) {
  const auto version_entry = all.entries().lower_bound(kModules);
  if (version_entry == all.entries().end() || !version_entry->first.starts_with(kModules))
    throw Error{"no kernel modules to select from"};
  const std::string version = version_entry->first.substr(kModules.size());
  const Modules modules = find_modules(all, version);

  std::map<std::string, std::vector<std::string>> needs;
  std::map<std::string, std::string> dep_lines;
  for (const auto& line : ros::split(text_of(all, modules.folder + "modules.dep"), '\n')) {
    const auto stems = parse_dep_line(line);
    if (stems.empty()) continue;
    needs[stems[0]].assign(stems.begin() + 1, stems.end());
    dep_lines[stems[0]] = line;
  }
  std::map<std::string, std::string> softdep_lines;  // by module name
  for (const auto& line : ros::split(text_of(all, modules.folder + "modules.softdep"), '\n')) {
    const auto fields = ros::words(line);
    if (fields.size() < 3 || fields[0] != "softdep") continue;
    softdep_lines[ModuleNames::normal(fields[1])] += line + "\n";
    std::vector<std::string> names;
    add_softdeps(names, ros::join({fields.begin() + 2, fields.end()}, " "));
    for (const auto& name : names)
      if (const auto stem = modules.names.stem(name); !stem.empty())
        needs[modules.names.stem(fields[1])].push_back(stem);
  }

  const auto first = modules.names.choose(lists);
  std::set<std::string> chosen;
  std::vector<std::string> open(first.begin(), first.end());
  while (!open.empty()) {
    const std::string stem = std::move(open.back());
    open.pop_back();
    if (!chosen.insert(stem).second) continue;
    const auto& more = needs[stem];
    open.insert(open.end(), more.begin(), more.end());
  }

  const std::int64_t epoch = version_entry->second.mtime;
  Tree tree;
  const auto put = [&](const std::string& name, Content content) {
    tree.put(modules.folder + name, Entry{.mtime = epoch, .content = std::move(content)});
  };
  std::set<std::string> names;
  std::string dep;
  std::string softdep;
  for (const auto& stem : chosen) {
    tree.put(modules.folder + "kernel/" + stem + ".ko", *modules.files.at(stem));
    dep += dep_lines[stem] + "\n";
    names.insert(ModuleNames::name_of(stem));
    softdep += softdep_lines[ModuleNames::name_of(stem)];
  }
  std::string alias;
  for (const auto& line : ros::split(text_of(all, modules.folder + "modules.alias"), '\n'))
    if (const auto fields = ros::words(line);
        fields.size() == 3 && names.contains(ModuleNames::normal(fields[2])))
      alias += line + "\n";
  put("modules.dep", dep);
  put("modules.alias", alias);
  put("modules.softdep", softdep);
  put("modules.builtin", text_of(all, modules.folder + "modules.builtin"));
  put("modules.order", cut_order(text_of(all, modules.folder + "modules.order"), chosen));
  return tree;
}

}  // namespace rosbuild
