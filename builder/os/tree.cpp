#include "builder/os/tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {

using ros::Error;

namespace {

// Linux's own limit on symlinks in one path (path_resolution(7)).
constexpr int kMaxLinks = 40;

bool below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

// Every component, resolving links on the way; `missing_is_plain` keeps
// components that are not there (for a path that is about to be made).
std::optional<std::string> walk(const Tree& tree, std::string_view path, bool missing_is_plain) {
  std::vector<std::string> todo = ros::split(path, '/');
  std::reverse(todo.begin(), todo.end());
  std::string at;
  for (int links = 0; !todo.empty();) {
    const std::string part = std::move(todo.back());
    todo.pop_back();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      const auto slash = at.rfind('/');
      at = slash == std::string::npos ? "" : at.substr(0, slash);
      continue;
    }
    const std::string next = at.empty() ? part : at + "/" + part;
    const Entry* entry = tree.find(next);
    if (!entry && !missing_is_plain) return std::nullopt;
    if (!entry || entry->type != EntryType::symlink) {
      at = next;
      continue;
    }
    if (++links > kMaxLinks) throw Error{"too many levels of symbolic links: " + next};
    if (entry->target.starts_with('/')) at.clear();
    auto target = ros::split(entry->target, '/');
    todo.insert(todo.end(), target.rbegin(), target.rend());
  }
  return at;
}

}  // namespace

Content Content::whole_file(const fs::path& file) {
  boost::system::error_code failed;
  const auto size = fs::file_size(file, failed);
  if (failed) throw Error{"cannot read " + file.string() + ": " + failed.message()};
  return FileRange{file, 0, size};
}

std::uint64_t Content::size() const {
  if (const auto* bytes = std::get_if<std::string>(&source_)) return bytes->size();
  return std::get<FileRange>(source_).size;
}

std::string Content::read() const {
  std::string all;
  all.reserve(size());
  stream([&](std::string_view piece) { all += piece; });
  return all;
}

void detail::stream_range(const FileRange& range, void (*call)(void*, std::string_view),
                          void* sink) {
  const ros::Fd fd = ros::open_file(range.file.string(), O_RDONLY);
  constexpr std::uint64_t kPiece = 1024 * 1024;
  for (std::uint64_t done = 0; done < range.size;) {
    const auto size = static_cast<std::size_t>(std::min(kPiece, range.size - done));
    call(sink, ros::read_at(fd.get(), range.offset + done, size));
    done += size;
  }
}

const Entry* Tree::find(std::string_view path) const {
  const auto found = entries_.find(path);
  return found == entries_.end() ? nullptr : &found->second;
}

std::string Tree::resolve(std::string_view path) const {
  return walk(*this, path, false).value_or("");
}

void Tree::put(std::string_view path, Entry entry) {
  const auto slash = path.rfind('/');
  std::string place(path);
  if (slash != std::string_view::npos) {
    const std::string parent = *walk(*this, path.substr(0, slash), true);
    place = parent.empty() ? std::string(path.substr(slash + 1))
                           : parent + std::string(path.substr(slash));
    for (std::size_t end = 0; (end = parent.find('/', end + 1)) != std::string::npos;)
      entries_.try_emplace(parent.substr(0, end),
                           Entry{.type = EntryType::directory, .mode = 0755, .mtime = entry.mtime});
    if (!parent.empty())
      entries_.try_emplace(parent,
                           Entry{.type = EntryType::directory, .mode = 0755, .mtime = entry.mtime});
  }
  const Entry* old = find(place);
  if (old && entry.type == EntryType::directory) {
    // A folder over a symlink to a folder: the link stays (usr-merge).
    if (old->type == EntryType::symlink) {
      const Entry* target = find(resolve(place));
      if (target && target->type == EntryType::directory) return;
    }
  } else if (old && old->type == EntryType::directory) {
    remove(place);
  }
  entries_.insert_or_assign(std::move(place), std::move(entry));
}

void Tree::remove(std::string_view path) {
  const auto found = entries_.find(path);
  if (found != entries_.end()) entries_.erase(found);
  const std::string prefix = std::string(path) + "/";
  auto it = entries_.lower_bound(prefix);
  while (it != entries_.end() && below(it->first, path)) it = entries_.erase(it);
}

void Tree::merge(const Tree& upper) {
  for (const auto& [path, entry] : upper.entries_) put(path, entry);
}

void Tree::clamp_times(std::int64_t epoch) {
  for (auto& [path, entry] : entries_) entry.mtime = std::min(entry.mtime, epoch);
}

std::uint64_t Tree::content_bytes() const {
  std::uint64_t total = 0;
  for (const auto& [path, entry] : entries_) total += entry.content.size();
  return total;
}

void Tree::put_file(std::string_view path, Content content, unsigned mode) {
  put(path, Entry{.mode = mode, .content = std::move(content)});
}

void Tree::put_link(std::string_view path, std::string target) {
  put(path, Entry{.type = EntryType::symlink, .mode = 0777, .target = std::move(target)});
}

void Tree::put_directory(std::string_view path, unsigned mode) {
  put(path, Entry{.type = EntryType::directory, .mode = mode});
}

Tree read_tree(const fs::path& folder, std::int64_t mtime) {
  if (!fs::is_directory(folder)) throw Error{"not a folder: " + folder.string()};
  Tree tree;
  for (fs::recursive_directory_iterator it{folder}, end; it != end; ++it) {
    const fs::path relative = it->path().lexically_relative(folder);
    const fs::file_status status = it->symlink_status();
    Entry entry{.mtime = mtime};
    if (fs::is_symlink(status)) {
      entry.type = EntryType::symlink;
      entry.mode = 0777;
      entry.target = fs::read_symlink(it->path()).string();
    } else if (fs::is_directory(status)) {
      entry.type = EntryType::directory;
      entry.mode = 0755;
    } else if (fs::is_regular_file(status)) {
      entry.mode = status.permissions() & fs::owner_exe ? 0755 : 0644;
      entry.content = Content::whole_file(it->path());
    } else {
      throw Error{"neither a file, a folder nor a symbolic link: " + it->path().string()};
    }
    tree.put(relative.string(), std::move(entry));
  }
  return tree;
}

void write_tree(const Tree& tree, const fs::path& folder) {
  fs::create_directories(folder);
  for (const auto& [path, entry] : tree.entries()) {
    const fs::path place = folder / path;
    switch (entry.type) {
      case EntryType::directory:
        fs::create_directories(place);
        break;
      case EntryType::symlink:
        fs::create_symlink(entry.target, place);
        break;
      case EntryType::file: {
        const ros::Fd fd =
            ros::open_file(place.string(), O_WRONLY | O_CREAT | O_TRUNC, entry.mode | 0200U);
        entry.content.stream([&](std::string_view piece) { ros::write_all(fd.get(), piece); });
        if (::fchmod(fd.get(), entry.mode & 0777U) != 0)
          throw Error::from_errno("chmod " + place.string());
        break;
      }
      case EntryType::char_device:
      case EntryType::block_device:
        break;  // needs root, and no tool that we feed with a folder reads one
    }
  }
}

}  // namespace rosbuild
