// The unpacked folder holds:
//   content   the bytes of every regular file, one after the other
//   index     a line per entry: type, mode, uid, gid, mtime, offset, size, path,
//             link target, separated by tabs
//   control   the package's control file
#include "builder/assemble/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>
#include <map>
#include <memory>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;

struct FreeArchive {
  void operator()(archive* a) const { archive_read_free(a); }
};
using Archive = std::unique_ptr<archive, FreeArchive>;

[[noreturn]] void fail(archive* a) {
  const char* text = archive_error_string(a);
  throw Error{text ? text : "unreadable"};
}

// The next entry, or nullptr at the end. Warnings (odd names, say) are errors
// here: Debian's packages give none.
archive_entry* next(archive* a) {
  archive_entry* entry = nullptr;
  const int result = archive_read_next_header(a, &entry);
  if (result == ARCHIVE_EOF) return nullptr;
  if (result != ARCHIVE_OK) fail(a);
  return entry;
}

// Calls sink with pieces of the current entry; returns the bytes in all.
template <class Sink>
std::uint64_t stream_data(archive* a, Sink&& sink) {
  std::string buffer(256 * 1024, '\0');
  std::uint64_t total = 0;
  while (true) {
    const la_ssize_t count = archive_read_data(a, buffer.data(), buffer.size());
    if (count < 0) fail(a);
    if (count == 0) return total;
    sink(std::string_view(buffer.data(), static_cast<std::size_t>(count)));
    total += static_cast<std::uint64_t>(count);
  }
}

// The tar archive inside one member of the .deb, decompressed on the way.
class MemberTar {
 public:
  explicit MemberTar(archive* outer) : outer_(outer), inner_(archive_read_new()) {
    archive_read_support_format_tar(inner_.get());
    for (auto support : {archive_read_support_filter_xz, archive_read_support_filter_gzip,
                         archive_read_support_filter_zstd, archive_read_support_filter_bzip2,
                         archive_read_support_filter_lzma})
      support(inner_.get());
    if (archive_read_open(inner_.get(), this, nullptr, &MemberTar::read, nullptr) != ARCHIVE_OK)
      fail(inner_.get());
  }
  archive* get() const { return inner_.get(); }

  // Reads what follows the tar's end mark, so that a cut-off compressed stream is noticed.
  void drain() {
    if (archive_read_close(inner_.get()) != ARCHIVE_OK) fail(inner_.get());
    stream_data(outer_, [](std::string_view) {});
  }

 private:
  static la_ssize_t read(archive* inner, void* self, const void** bytes) {
    auto& member = *static_cast<MemberTar*>(self);
    *bytes = member.buffer_.data();
    const la_ssize_t count =
        archive_read_data(member.outer_, member.buffer_.data(), member.buffer_.size());
    if (count < 0) archive_set_error(inner, EIO, "%s", archive_error_string(member.outer_));
    return count < 0 ? -1 : count;
  }

  archive* outer_;
  Archive inner_;
  std::string buffer_ = std::string(256 * 1024, '\0');
};

// "./usr/bin/x" -> "usr/bin/x"; empty for the root. Refuses whatever could leave it.
std::string safe_path(const char* raw) {
  if (!raw) throw Error{"an entry without a name"};
  std::string_view path(raw);
  if (path.starts_with('/')) throw Error{fmt::format("absolute path {}", path)};
  std::string safe;
  for (const auto& part : ros::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") throw Error{fmt::format("path {} leads out of the package", path)};
    if (!safe.empty()) safe += '/';
    safe += part;
  }
  for (const char c : safe)
    if (static_cast<unsigned char>(c) < 0x20) throw Error{"a control character in a path"};
  return safe;
}

struct IndexLine {
  char type = 'f';  // d, f, l
  unsigned mode = 0;
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::int64_t mtime = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::string target;
};

std::string format_line(const std::string& path, const IndexLine& line) {
  return fmt::format("{}\t{:o}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", line.type, line.mode, line.uid,
                     line.gid, line.mtime, line.offset, line.size, path, line.target);
}

class DataUnpacker {
 public:
  explicit DataUnpacker(const fs::path& out)
      : content_(ros::open_file((out / "content").string(), O_WRONLY | O_CREAT | O_TRUNC)) {}

  void add(archive* a, archive_entry* entry) {
    const std::string path = safe_path(archive_entry_pathname(entry));
    if (path.empty()) return;
    if (const char* link = archive_entry_hardlink(entry)) {
      const auto found = files_.find(safe_path(link));
      if (found == files_.end())
        throw Error{fmt::format("{} is a hard link to a file that is not there", path)};
      index_ += format_line(path, found->second);
      files_[path] = found->second;
      return;
    }
    IndexLine line{.mode = static_cast<unsigned>(archive_entry_perm(entry)),
                   .uid = archive_entry_uid(entry),
                   .gid = archive_entry_gid(entry),
                   .mtime = archive_entry_mtime(entry)};
    switch (archive_entry_filetype(entry)) {
      case AE_IFDIR:
        line.type = 'd';
        break;
      case AE_IFLNK:
        line.type = 'l';
        line.target = archive_entry_symlink(entry);
        if (line.target.find_first_of("\t\n") != std::string::npos)
          throw Error{fmt::format("a control character in the target of {}", path)};
        break;
      case AE_IFREG:
        line.offset = written_;
        line.size =
            stream_data(a, [&](std::string_view piece) { ros::write_all(content_.get(), piece); });
        if (static_cast<std::int64_t>(line.size) != archive_entry_size(entry))
          throw Error{fmt::format("{} is cut off", path)};
        written_ += line.size;
        files_[path] = line;
        break;
      default:
        throw Error{fmt::format("{} is neither a file, a folder nor a link", path)};
    }
    index_ += format_line(path, line);
  }

  const std::string& index() const { return index_; }

 private:
  ros::Fd content_;
  std::uint64_t written_ = 0;
  std::string index_;
  std::map<std::string, IndexLine> files_;
};

std::string read_control_member(archive* outer) {
  MemberTar tar{outer};
  std::string control;
  while (archive_entry* entry = next(tar.get()))
    if (safe_path(archive_entry_pathname(entry)) == "control")
      stream_data(tar.get(), [&](std::string_view piece) { control += piece; });
  tar.drain();
  if (control_field(control, "Package").empty()) throw Error{"its control file names no package"};
  return control;
}

std::string unpack_data_member(archive* outer, const fs::path& out) {
  MemberTar tar{outer};
  DataUnpacker unpacker{out};
  while (archive_entry* entry = next(tar.get())) unpacker.add(tar.get(), entry);
  tar.drain();
  return unpacker.index();
}

void unpack(const fs::path& deb, const fs::path& out) {
  const Archive outer{archive_read_new()};
  archive_read_support_format_ar(outer.get());
  if (archive_read_open_filename(outer.get(), deb.c_str(), 256 * 1024) != ARCHIVE_OK)
    fail(outer.get());
  std::optional<std::string> control;
  std::optional<std::string> index;
  while (archive_entry* entry = next(outer.get())) {
    const char* raw_name = archive_entry_pathname(entry);
    const std::string_view name = raw_name ? raw_name : "";
    if (name.starts_with("control.tar")) control = read_control_member(outer.get());
    if (name.starts_with("data.tar")) index = unpack_data_member(outer.get(), out);
  }
  if (!control) throw Error{"it has no control.tar"};
  if (!index) throw Error{"it has no data.tar"};
  ros::write_file(out / "control", *control);
  ros::write_file(out / "index", *index);
}

template <class Number>
Number number(const std::string& text, int base = 10) {
  Number value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failed != std::errc{} || end != text.data() + text.size())
    throw Error{fmt::format("not a number: {}", text)};
  return value;
}

Entry parse_line(const std::vector<std::string>& fields, const fs::path& content) {
  Entry entry{.mode = number<unsigned>(fields[1], 8),
              .uid = number<std::uint32_t>(fields[2]),
              .gid = number<std::uint32_t>(fields[3]),
              .mtime = number<std::int64_t>(fields[4])};
  if (fields[0] == "d") {
    entry.type = EntryType::directory;
  } else if (fields[0] == "l") {
    entry.type = EntryType::symlink;
    entry.mode = 0777;
    entry.target = fields[8];
  } else if (const auto size = number<std::uint64_t>(fields[6]); size > 0) {
    entry.content = FileRange{content, number<std::uint64_t>(fields[5]), size};
  }
  return entry;
}

}  // namespace

void unpack_deb(const fs::path& deb, const fs::path& out) {
  fs::create_directories(out);
  try {
    unpack(deb, out);
  } catch (const Error& error) {
    throw Error{fmt::format("{} is not a usable package: {}", deb.string(), error.what()),
                Error::Kind::input};
  }
}

Tree read_package(const fs::path& unpacked) {
  const fs::path content = unpacked / "content";
  Tree tree;
  for (const auto& line : ros::split(ros::read_file(unpacked / "index"), '\n')) {
    if (line.empty()) continue;
    const auto fields = ros::split(line, '\t');
    if (fields.size() != 9) throw Error{"damaged index in " + unpacked.string()};
    tree.put(fields[7], parse_line(fields, content));
  }
  return tree;
}

std::string read_control(const fs::path& unpacked) { return ros::read_file(unpacked / "control"); }

std::string control_field(const std::string& control, const std::string& name) {
  for (const auto& line : ros::split(control, '\n'))
    if (line.size() > name.size() && line[name.size()] == ':' && line.starts_with(name))
      return std::string(ros::trim(std::string_view(line).substr(name.size() + 1)));
  return {};
}

}  // namespace rosbuild
