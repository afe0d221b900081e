#include "runtime/base/release.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace ros {
namespace {

constexpr std::uint64_t kLargestFile = 1ULL << 40;
constexpr std::size_t kLongestName = 128;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName && text.front() != '.' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view{".+~-_"}.find(c) != std::string_view::npos;
         });
}

// The folder and, for those that have one, the name that a role asks for.
bool fits(const ReleaseFile& file, const std::string& version) {
  if (file.role == "kernel")
    return file.path == version + "/" + kKernelFile ||
           file.path == version + "/" + kPackedKernelFile;
  if (file.role == "initrd") return file.path == version + "/initrd";
  const std::string folder = file.role == "layer"    ? "layers/"
                             : file.role == "loader" ? "loader/"
                                                     : "";
  return !folder.empty() && file.path.starts_with(folder) &&
         is_name(std::string_view{file.path}.substr(folder.size()));
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& file) : file_(file) {
    for (const auto& line : split(text, '\n')) {
      ++number_;
      const auto field = words(line);
      if (!field.empty() && !field[0].starts_with('#')) take(line, field);
    }
    check_whole();
  }
  std::vector<Release> releases;

 private:
  void take(const std::string& line, const std::vector<std::string>& field) {
    if (field[0] == "version") {
      check_whole();
      if (field.size() != 2 || !is_version(field[1])) throw wrong("this is no version");
      if (std::ranges::count(releases, field[1], &Release::version) > 0)
        throw wrong(field[1] + " is there twice");
      releases.push_back({.version = field[1]});
      return;
    }
    if (releases.empty()) throw wrong("a release begins with its version");
    Release& release = releases.back();
    if (field[0] == "arch" && field.size() == 2 && is_name(field[1])) {
      release.arch = field[1];
    } else if (field[0] == "platform" && field.size() == 2 && is_name(field[1])) {
      release.platform = field[1];
    } else if (field[0] == "title" && printable(line)) {
      release.title = join({field.begin() + 1, field.end()}, " ");
    } else if (field[0] == "cmdline" && printable(line)) {
      release.cmdline.assign(field.begin() + 1, field.end());
    } else if (field[0] == "file" && field.size() == 5) {
      add_file(release, field);
    } else {
      throw wrong("not understood: " + line.substr(0, 80));
    }
  }

  void add_file(Release& release, const std::vector<std::string>& field) {
    ReleaseFile file{.role = field[1], .path = field[2], .sha256 = field[4]};
    if (!fits(file, release.version))
      throw wrong(
          fmt::format("no {} is called {}", file.role.substr(0, 80), file.path.substr(0, 80)));
    const char* end = field[3].data() + field[3].size();
    const auto [rest, code] = std::from_chars(field[3].data(), end, file.size);
    if (code != std::errc{} || rest != end || file.size == 0 || file.size > kLargestFile)
      throw wrong("the size is no number of bytes");
    if (!is_digest(file.sha256)) throw wrong("the digest is no SHA-256");
    if (std::ranges::count(release.files, file.path, &ReleaseFile::path) > 0)
      throw wrong(file.path + " is there twice");
    release.files.push_back(std::move(file));
  }

  void check_whole() const {
    if (releases.empty()) return;
    for (const char* role : {"kernel", "initrd", "layer"})
      if (std::ranges::count(releases.back().files, role, &ReleaseFile::role) == 0)
        throw wrong(fmt::format("version {} has no {}", releases.back().version, role));
  }

  static bool printable(const std::string& line) {
    return std::ranges::none_of(line, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
  }

  Error wrong(const std::string& what) const {
    return Error{what, Error::Kind::input}.at({file_, number_, 1});
  }

  std::string file_;
  int number_ = 0;
};

}  // namespace

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_version(std::string_view text) {
  if (text.size() > 64 || !is_name(text)) return false;
  // What else a medium has in its root.
  return text != "grub" && text != "layers" && text != "loader" && text != "lost+found" &&
         text != "EFI" && text != "overlays";
}

std::string to_text(const Release& release) {
  std::string text = fmt::format("version {}\n", release.version);
  const auto put = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("{} {}\n", name, value);
  };
  if (release.arch != Release{}.arch) put("arch", release.arch);
  put("platform", release.platform);
  put("title", release.title);
  put("cmdline", join(release.cmdline, " "));
  for (const auto& file : release.files)
    text += fmt::format("file {} {} {} {}\n", file.role, file.path, file.size, file.sha256);
  return text;
}

const std::string& kernel_path(const Release& release) {
  const auto kernel = std::ranges::find(release.files, std::string{"kernel"}, &ReleaseFile::role);
  if (kernel == release.files.end())
    throw Error{fmt::format("version {} has no kernel", release.version)};
  return kernel->path;
}

void check_arch(const Release& release) {
  if (release.arch != kOwnArch)
    throw Error{fmt::format("version {} is for {} machines, and this one is {}", release.version,
                            release.arch, kOwnArch)};
}

std::vector<Release> parse_releases(std::string_view text, const std::string& file) {
  return Parser{text, file}.releases;
}

}  // namespace ros
