#include "runtime/init/modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <linux/module.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "runtime/base/log.h"
#include "runtime/base/text.h"

#ifndef MODULE_INIT_COMPRESSED_FILE
#define MODULE_INIT_COMPRESSED_FILE 4
#endif

namespace ros {
namespace {

// Module names and aliases treat '-' and '_' as one letter, except in brackets.
std::string normal(std::string_view text) {
  std::string result{text};
  bool brackets = false;
  for (char& c : result) {
    if (c == '[') brackets = true;
    if (c == ']') brackets = false;
    if (c == '-' && !brackets) c = '_';
  }
  return result;
}

std::string name_of(std::string_view path) {
  path = path.substr(path.rfind('/') + 1);
  return normal(path.substr(0, path.find(".ko")));
}

// Calls `sink` with each line; cheaper than a vector of strings for big files.
template <class Sink>
void for_lines(std::string_view text, Sink&& sink) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    if (!line.empty() && line.front() != '#') sink(line);
    if (end == text.npos) return;
    text.remove_prefix(end + 1);
  }
}

void walk_modaliases(int folder, const std::function<void(const std::string&)>& sink) {
  DIR* stream = ::fdopendir(folder);
  if (!stream) {
    ::close(folder);
    return;
  }
  while (const dirent* entry = ::readdir(stream)) {
    if (entry->d_name[0] == '.') continue;
    if (entry->d_type == DT_DIR) {
      const int below =
          ::openat(::dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (below >= 0) walk_modaliases(below, sink);
    } else if (std::strcmp(entry->d_name, "modalias") == 0) {
      const Fd file{::openat(::dirfd(stream), entry->d_name, O_RDONLY | O_CLOEXEC)};
      char text[4096];
      const auto count = file ? ::read(file.get(), text, sizeof text) : -1;
      if (count > 0)
        for (const auto& alias : words({text, static_cast<std::size_t>(count)})) sink(alias);
    }
  }
  ::closedir(stream);
}

}  // namespace

ModuleIndex::ModuleIndex(const fs::path& folder, const std::vector<fs::path>& modprobe_d) {
  const auto text = [&](const char* name) { return try_read_file(folder / name).value_or(""); };
  for_lines(text("modules.dep"), [&](std::string_view line) {
    const auto colon = line.find(':');
    if (colon == line.npos) return;
    Module module{.path = std::string{line.substr(0, colon)}};
    module.dependencies = words(line.substr(colon + 1));
    std::reverse(module.dependencies.begin(), module.dependencies.end());
    modules_[name_of(module.path)] = std::move(module);
  });
  for_lines(text("modules.builtin"),
            [&](std::string_view line) { builtin_.insert(name_of(trim(line))); });
  read_aliases(text("modules.alias"));
  for_lines(text("modules.softdep"), [&](std::string_view line) {
    const auto fields = words(line);
    if (fields.size() < 3 || fields[0] != "softdep") return;
    const auto module = modules_.find(normal(fields[1]));
    if (module == modules_.end()) return;
    std::vector<std::string>* list = &module->second.pre;
    for (std::size_t i = 2; i < fields.size(); ++i) {
      if (fields[i] == "pre:")
        list = &module->second.pre;
      else if (fields[i] == "post:")
        list = &module->second.post;
      else
        list->push_back(fields[i]);
    }
  });
  for (const auto& configuration : modprobe_d) {
    boost::system::error_code error;
    for (fs::directory_iterator it{configuration, error}, end; !error && it != end;
         it.increment(error))
      for_lines(try_read_file(it->path()).value_or(""), [&](std::string_view line) {
        const auto fields = words(line);
        if (fields.size() == 2 && fields[0] == "blacklist") blacklist_.insert(normal(fields[1]));
      });
  }
}

void ModuleIndex::read_aliases(std::string_view text) {
  for_lines(text, [&](std::string_view line) {
    constexpr std::string_view kAlias = "alias ";
    const auto last = line.rfind(' ');
    if (!line.starts_with(kAlias) || last < kAlias.size()) return;
    Alias alias{normal(line.substr(kAlias.size(), last - kAlias.size())),
                normal(trim(line.substr(last + 1)))};
    const auto literal = std::min(alias.pattern.find_first_of("*?["), alias.pattern.size());
    std::string key = alias.pattern.substr(0, literal);
    aliases_[literal].emplace(std::move(key), std::move(alias));
  });
}

std::vector<std::string> ModuleIndex::matches(const std::string& alias) const {
  std::vector<std::string> names;
  for (const auto& [length, patterns] : aliases_) {
    if (length > alias.size()) break;
    const auto [begin, end] = patterns.equal_range(alias.substr(0, length));
    for (auto it = begin; it != end; ++it)
      if (::fnmatch(it->second.pattern.c_str(), alias.c_str(), 0) == 0 &&
          !blacklist_.contains(it->second.module))
        names.push_back(it->second.module);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void ModuleIndex::resolve(const std::string& name, std::vector<std::string>& paths,
                          std::set<std::string>& visited) const {
  if (!visited.insert(name).second) return;  // soft dependencies may go in circles
  const auto found = modules_.find(name);
  if (found == modules_.end()) {
    if (builtin_.contains(name)) return;
    for (const auto& module : matches(name)) resolve(module, paths, visited);
    return;
  }
  const Module& module = found->second;
  const auto add = [&](const std::string& path) {
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
  };
  for (const auto& other : module.pre) resolve(normal(other), paths, visited);
  for (const auto& path : module.dependencies) {
    // A dependency's own soft dependencies count as well (jbd2 wants crc32c).
    const auto dependency = modules_.find(name_of(path));
    if (dependency != modules_.end())
      for (const auto& other : dependency->second.pre) resolve(normal(other), paths, visited);
    add(path);
  }
  add(module.path);
  for (const auto& other : module.post) resolve(normal(other), paths, visited);
}

std::vector<std::string> ModuleIndex::resolve(const std::string& name_or_alias) const {
  std::vector<std::string> paths;
  std::set<std::string> visited;
  resolve(normal(name_or_alias), paths, visited);
  return paths;
}

ModuleLoader::ModuleLoader(const fs::path& root) {
  utsname system{};
  ::uname(&system);
  root_ = root;
  path_ = root / "lib/modules" / system.release;
  folder_ = Fd{::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!folder_) log::error(fmt::format("no kernel modules in {}", path_.string()));
}

bool ModuleLoader::load_file(const std::string& path) {
  {
    const std::lock_guard guard{mutex_};
    if (const auto known = done_.find(path); known != done_.end()) return known->second;
  }
  // Not under the lock: a driver may take its time to find its devices. Of two threads that load
  // the same file the kernel lets one wait for the other.
  const Fd file{::openat(folder_.get(), path.c_str(), O_RDONLY | O_CLOEXEC)};
  const int flags = path.ends_with(".ko") ? 0 : MODULE_INIT_COMPRESSED_FILE;
  const bool good =
      file && (::syscall(SYS_finit_module, file.get(), "", flags) == 0 || errno == EEXIST);
  if (!good && errno != ENODEV)
    log::error(fmt::format("module {}: {}", path, std::strerror(errno)));
  const std::lock_guard guard{mutex_};
  return done_[path] = good;
}

std::vector<std::string> ModuleLoader::resolve(const std::string& name_or_alias) {
  const std::lock_guard guard{mutex_};
  if (!index_)
    index_.emplace(path_, std::vector{root_ / "lib/modprobe.d", root_ / "etc/modprobe.d"});
  return index_->resolve(name_or_alias);
}

bool ModuleLoader::load(const std::string& name_or_alias) {
  if (!folder_) return false;
  const auto paths = resolve(name_or_alias);
  bool good = !paths.empty();
  for (const auto& path : paths) good = load_file(path) && good;
  return good;
}

void ModuleLoader::load_listed() {
  std::vector<fs::path> files;
  for (const char* folder : {"usr/lib/modules-load.d", "etc/modules-load.d"}) {
    boost::system::error_code error;
    for (fs::directory_iterator it{root_ / folder, error}, end; !error && it != end;
         it.increment(error))
      if (it->path().extension() == ".conf") files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files)
    for (const auto& line : split(try_read_file(file).value_or(""), '\n'))
      if (const auto name = trim(line); !name.empty() && name[0] != '#' && name[0] != ';')
        load(std::string{name});
}

void ModuleLoader::forget_indices() {
  const std::lock_guard guard{mutex_};
  if (!index_) return;
  index_.reset();
  ::malloc_trim(0);
}

void ModuleLoader::coldplug(int sysfs) {
  std::vector<std::string> wanted;
  const int devices = ::openat(sysfs, "devices", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (devices < 0) return;
  walk_modaliases(devices, [&](const std::string& alias) { wanted.push_back(alias); });
  for (const auto& alias : wanted) load_for(alias);
}

void ModuleLoader::load_for(const std::string& modalias) {
  if (seen_.insert(modalias).second) load(modalias);
}

}  // namespace ros
