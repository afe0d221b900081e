#include "runtime/ros/upgrade.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "runtime/base/disk_layout.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/ros/console_image.h"

namespace ros {
namespace {

constexpr std::string_view kDirectory = "rancher.state.directory=";
constexpr std::uint64_t kSlack = 4 << 20;  // menus, folders, what ext4 needs beside the files

std::uint64_t sum(const std::vector<ReleaseFile>& files) {
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += file.size;
  return bytes;
}

std::uint64_t free_bytes(const fs::path& folder) {
  struct statvfs info = {};
  if (::statvfs(folder.c_str(), &info) != 0)
    throw Error::from_errno("cannot look into " + folder.string());
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

// The kind of file system at `folder` (proc_pid_mountinfo(5)), "" when nothing is mounted there.
std::string mounted_type(const std::string& folder) {
  std::string type;
  for (const auto& line : split(try_read_file("/proc/self/mountinfo").value_or(""), '\n')) {
    const auto field = words(line);
    const auto dash = std::ranges::find(field, "-");
    if (field.size() > 6 && field[4] == folder && field.end() - dash > 1) type = dash[1];
  }
  return type;
}

bool has_size(const fs::path& path, std::uint64_t size) {
  boost::system::error_code absent;
  return fs::file_size(path, absent) == size && !absent;
}

// A file of another version with the same content: kernels seldom change.
std::optional<fs::path> twin_of(const fs::path& medium, const std::vector<Release>& others,
                                const ReleaseFile& wanted) {
  for (const auto& release : others)
    for (const auto& file : release.files)
      if (file.sha256 == wanted.sha256 && file.path != wanted.path &&
          has_size(medium / file.path, file.size))
        return medium / file.path;
  return {};
}

// Of what describes a version; the builder's files have no more.
bool is_of_version(const std::string& name) {
  constexpr std::array kNames{kKernelFile, kPackedKernelFile, "initrd", "menu.cfg", "menu.new",
                              "menu.old",  "append",          "own",    "release"};
  return std::ranges::any_of(kNames, [&](const std::string& file) {
    return name == file || name == file + ".part" ||
           // Left by write_file_atomically().
           (name.starts_with(file + ".") && name.size() == file.size() + 7);
  });
}

bool is_version_folder(const fs::path& folder) {
  return is_version(folder.filename().string()) && fs::is_directory(folder) &&
         std::all_of(
             fs::directory_iterator{folder}, fs::directory_iterator{},
             [](const auto& entry) { return is_of_version(entry.path().filename().string()); });
}

// What collect() removes.
std::vector<fs::path> useless(const fs::path& root, const std::set<std::string>& keep,
                              const Release& coming) {
  std::set<std::string> named;
  std::set<std::string> listed;
  for (const auto& file : coming.files) named.insert({file.path, file.path + ".part"});
  for (const auto& release : releases_on(root)) {
    if (!keep.contains(release.version)) continue;
    listed.insert(release.version);
    for (const auto& file : release.files) named.insert(file.path);
  }
  // Without a list of what it needs, a version that is kept would lose its layers.
  for (const auto& version : keep)
    if (is_version(version) && version != coming.version && fs::exists(root / version) &&
        !listed.contains(version))
      throw Error{fmt::format("version {} has no list of its files; nothing is removed", version)};

  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(root))
    if (is_version_folder(entry.path()) && !keep.contains(entry.path().filename().string()))
      found.push_back(entry.path());
  for (const char* part : {"layers", "loader"}) {
    if (!fs::exists(root / part)) continue;
    for (const auto& entry : fs::directory_iterator(root / part))
      if (!named.contains(fmt::format("{}/{}", part, entry.path().filename().string())))
        found.push_back(entry.path());
  }
  return found;
}

// What removing the paths gives back: a file goes with the last of its names.
std::uint64_t bytes_of(const std::vector<fs::path>& paths) {
  std::uint64_t bytes = 0;
  std::map<ino_t, nlink_t> names;
  const auto add = [&](const fs::path& path) {
    struct stat file = {};
    if (::lstat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) &&
        ++names[file.st_ino] == file.st_nlink)
      bytes += static_cast<std::uint64_t>(file.st_blocks) * 512;
  };
  for (const auto& path : paths) {
    add(path);
    if (!fs::is_directory(path)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(path)) add(entry.path());
  }
  return bytes;
}

std::vector<ReleaseFile> missing_of(const fs::path& medium, const std::vector<Release>& others,
                                    const Release& release) {
  std::vector<ReleaseFile> missing;
  for (const auto& file : release.files)
    if (!has_size(medium / file.path, file.size) && !twin_of(medium, others, file))
      missing.push_back(file);
  return missing;
}

// Removes what no version that may start needs and, when that is not enough, the previous version.
// Throws Error before anything is removed when that is not enough either.
void make_room(WritableMedium& medium, const Release& release, const std::string& running) {
  const fs::path& root = medium.folder();
  BootState state = load_boot_state(root);
  std::set<std::string> keep{running, state.current, state.previous, release.version};
  std::uint64_t room = 0, needed = 0;
  const auto fits = [&] {
    auto others = releases_on(root);
    std::erase_if(others, [&](const Release& other) { return !keep.contains(other.version); });
    room = free_bytes(root) + bytes_of(useless(root, keep, release));
    needed = sum(missing_of(root, others, release)) + kSlack;
    return room >= needed;
  };
  if (!fits()) {
    if (state.previous != running) keep.erase(state.previous);
    keep.insert({running, state.current, release.version});
    if (!fits())
      throw Error{fmt::format("{} has room for {} and version {} needs {}", kBootLabel,
                              human_size(room), release.version, human_size(needed))}
          .hint("nothing was changed; a disk that `ros install` makes has room for two versions");
  }
  // About to be changed or collected: neither a way on nor back.
  const bool changed =
      !state.trial.empty() || !keep.contains(state.previous) || state.previous == release.version;
  if (!keep.contains(state.previous) || state.previous == release.version) state.previous.clear();
  state.trial.clear();
  if (changed) medium.save(state);
  fs::remove(root / release.version / "release");  // until it is whole
  collect(medium, keep, release);
}

}  // namespace

std::string running_version() {
  const fs::path system = in_console_image() ? kHost : "/";
  for (const auto& line : split(try_read_file(system / "usr/lib/os-release").value_or(""), '\n'))
    if (line.starts_with("VERSION_ID=")) return std::string{trim(line.substr(11))};
  return ROSBUILD_VERSION;
}

bool has_boot_disk() {
  const std::string type = mounted_type(kMediumFolder);
  return type == "ext4" || type == "vfat";
}

fs::path boot_disk() {
  if (has_boot_disk()) return kMediumFolder;
  if (mounted_type(kMediumFolder) == "iso9660")
    throw Error{"this box runs from an ISO, whose versions cannot be changed"}.hint(
        "boot the ISO of the new version: the state stays; or `ros install` puts the system on "
        "a disk");
  throw Error{"this box was started from the network"}.hint(
      "serve the new vmlinuz and initrd and reboot: the state stays; or `ros install` puts the "
      "system on a disk");
}

fs::path disk_to_append() {
  const std::string type = mounted_type(kMediumFolder);
  if (type == "ext4") return kMediumFolder;
  if (type == "vfat")
    throw Error{"the menu of this box is on FAT, and cannot be changed safely while it runs"}.hint(
        "in another machine, edit VERSION/menu.cfg on the card; or `ros os upgrade --append`");
  throw Error{"this box was not booted from a disk that could keep words for its kernel"}.hint(
      "press e in GRUB's menu for one start; `append` of the network's boot script; or "
      "`ros install --append`");
}

std::vector<std::string> append_words(const std::string& text) {
  for (const char c : text)
    if (c == '"' || c == '\'' || c == '\\' || std::iscntrl(static_cast<unsigned char>(c)))
      throw Error{"words for the kernel take no quotes, backslashes or control characters",
                  Error::Kind::usage};
  return words(text);
}

std::vector<std::string> kept_append(const fs::path& medium, const std::string& version) {
  return words(try_read_file(medium / version / "append").value_or(""));
}

std::vector<std::string> whole_cmdline(const Release& release,
                                       const std::vector<std::string>& append) {
  auto cmdline = release.cmdline;
  cmdline.insert(cmdline.end(), append.begin(), append.end());
  return cmdline;
}

// A builder's image has only its own, and no file that says which they are.
std::vector<std::string> own_append(const fs::path& medium, const std::string& version) {
  if (const auto own = try_read_file(medium / version / "own")) return words(*own);
  return kept_append(medium, version);
}

void describe_version(const fs::path& medium, const Release& release,
                      const std::vector<std::string>& append, const std::vector<std::string>& own) {
  const fs::path folder = medium / release.version;
  write_file_atomically(folder / "own", join(own, " ") + "\n");
  write_file_atomically(folder / "menu.cfg", version_menu(release, whole_cmdline(release, append)));
  write_file_atomically(folder / "append", join(append, " ") + "\n");
  write_file_atomically(folder / "release", to_text(release));
}

void set_append(WritableMedium& medium, const std::string& version,
                std::vector<std::string> append) {
  const auto releases = releases_on(medium.folder());
  const auto found = std::ranges::find(releases, version, &Release::version);
  if (found == releases.end())
    throw Error{"version " + version + " is not on this disk", Error::Kind::usage};
  const fs::path folder = medium.folder() / version;
  const fs::path menu = folder / "menu.cfg", fresh = folder / "menu.new", old = folder / "menu.old";
  const auto own = own_append(medium.folder(), version);
  const auto is_directory = [](const std::string& word) { return word.starts_with(kDirectory); };
  if (std::ranges::none_of(append, is_directory))
    std::ranges::copy_if(kept_append(medium.folder(), version), std::back_inserter(append),
                         is_directory);
  append.insert(append.begin(), own.begin(), own.end());  // a later word beats an earlier one

  // GRUB does not read the journal: the new file is in its place before the folder names it, and
  // the old one, by a second name, after that.
  fs::remove(old);
  write_file_atomically(folder / "own", join(own, " ") + "\n");
  fs::create_hard_link(menu, old);
  write_file_atomically(fresh, version_menu(*found, whole_cmdline(*found, append)));
  medium.flush();
  fs::rename(fresh, menu);
  write_file_atomically(folder / "append", join(append, " ") + "\n");
  medium.flush();
  fs::remove(old);
}

std::vector<ReleaseFile> missing_files(const fs::path& medium, const Release& release) {
  return missing_of(medium, releases_on(medium), release);
}

void stage(WritableMedium& medium, const Release& release, const ReleaseSource& source,
           const std::vector<std::string>& append, const std::string& running, const Say& say) {
  const fs::path& root = medium.folder();
  if (release.version == running || release.version == load_boot_state(root).current)
    throw Error{"version " + release.version + " is the one that runs here", Error::Kind::usage};
  make_room(medium, release, running);
  const auto others = releases_on(root);
  for (const auto& file : release.files) {
    const fs::path path = root / file.path;
    if (is_intact(path, file)) continue;
    for (const auto& other : others)
      if (std::ranges::count(other.files, file.path, &ReleaseFile::path) > 0)
        throw Error{fmt::format("{} is there with other content, for version {}", file.path,
                                other.version)};
    fs::remove(path);
    fs::create_directories(path.parent_path());
    if (const auto twin = twin_of(root, others, file); twin && is_intact(*twin, file)) {
      boost::system::error_code fat;  // which has no links
      fs::create_hard_link(*twin, path, fat);
      if (fat) fs::copy_file(*twin, path);
      continue;
    }
    say(fmt::format("fetching {} ({})", file.path, human_size(file.size)));
    source.fetch(file, path);
  }
  describe_version(root, release, append, own_append(root, running));
  medium.flush();
}

void put_on_trial(WritableMedium& medium, const std::string& version, int tries) {
  BootState state = load_boot_state(medium.folder());
  if (!fs::exists(medium.folder() / version / "release"))
    throw Error{"version " + version + " is not on this disk", Error::Kind::usage};
  state.trial = version;
  state.tries = tries;
  state.failed.clear();
  state.reason.clear();
  medium.save(state);
}

bool cancel_trial(WritableMedium& medium, const std::string& running) {
  BootState state = load_boot_state(medium.folder());
  if (state.trial.empty() || state.trial == running) return false;
  state.trial.clear();
  medium.save(state);
  return true;
}

std::string platform_of(const fs::path& medium, const std::string& version) {
  for (const auto& release : releases_on(medium))
    if (release.version == version) return release.platform;
  return {};
}

void check_platform(const fs::path& medium, const Release& release, const std::string& running,
                    const std::string& platform) {
  const std::string wanted = platform.empty() ? platform_of(medium, running) : platform;
  if (wanted.empty() || release.platform.empty() || release.platform == wanted) return;
  throw Error{
      fmt::format("version {} is of platform {}, and {} is {}", release.version, release.platform,
                  platform.empty() ? "this box" : "the one that was asked for", wanted),
      Error::Kind::usage}
      .hint("--platform " + release.platform + " takes it all the same");
}

std::optional<std::string> settle(const fs::path& folder, const std::string& running) {
  BootState state = load_boot_state(folder);
  if (state.trial.empty()) return {};
  std::string message;
  if (state.trial == running) {
    if (state.current != running) state.previous = state.current;
    state.current = running;
    state.trial.clear();
    state.reason.clear();
    message = "version " + running + " is ready and stays";
  } else if (state.tries == 0) {
    if (state.reason.empty())
      state.reason = fmt::format("it was started {} times and was never ready", kTrialStarts);
    state.failed = std::exchange(state.trial, {});
    message = fmt::format("version {} failed and this is {} again: {}", state.failed, running,
                          state.reason);
  } else {
    return {};  // somebody chose this one in the menu
  }
  WritableMedium{folder}.save(state);
  return message;
}

std::vector<std::string> collect(WritableMedium& medium, const std::set<std::string>& keep,
                                 const Release& coming) {
  std::vector<std::string> removed;
  for (const auto& path : useless(medium.folder(), keep, coming)) {
    fs::remove_all(path);
    removed.push_back(path.lexically_relative(medium.folder()).string());
  }
  std::ranges::sort(removed);
  return removed;
}

}  // namespace ros
