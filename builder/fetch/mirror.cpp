// Which mirror: the option, the environment, or what the host's own apt uses.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

#include "builder/fetch/apt.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::string security_sibling(const std::string& debian) { return debian + "-security"; }

Mirror from_words(const std::vector<std::string>& urls, std::string_view origin) {
  for (const auto& url : urls) {
    const bool known =
        url.starts_with("http://") || url.starts_with("https://") || url.starts_with("file:///");
    if (!known || urls.size() > 2)
      throw Error{fmt::format("{}: expected `URL` or `URL SECURITY-URL`, found {}", origin,
                              ros::join(urls, " ")),
                  Error::Kind::usage}
          .hint("a URL starts with http://, https:// or file:///");
  }
  const std::string debian = without_slash(urls[0]);
  return {debian, urls.size() > 1 ? without_slash(urls[1]) : security_sibling(debian),
          std::string(origin)};
}

// One source of the host's apt.
struct Source {
  std::vector<std::string> urls;
  std::string signed_by;  // files of keys, keys, or fingerprints; empty: any of the host's
};

// Whatever its URL looks like: a vendor's repository for Debian has "debian" in it as well.
bool is_foreign(const Source& source) {
  return !ros::trim(source.signed_by).empty() &&
         source.signed_by.find("debian-archive-") == std::string::npos;
}

// "deb [options] URL suite component…"
std::optional<Source> parse_one_line(std::string_view line) {
  auto fields = ros::words(line.substr(0, line.find('#')));
  if (fields.empty() || fields[0] != "deb") return std::nullopt;
  auto at = fields.begin() + 1;
  std::string signed_by;
  if (at != fields.end() && at->starts_with('[')) {
    const auto options = at;
    while (at != fields.end() && !at->ends_with(']')) ++at;
    if (at != fields.end()) ++at;
    for (auto option = options; option != at; ++option)
      if (option->find("signed-by=") != std::string::npos) signed_by = *option;
  }
  if (fields.end() - at < 2) return std::nullopt;
  return Source{{*at}, signed_by};
}

// A deb822 paragraph; continuation lines start with a blank.
std::optional<Source> parse_paragraph(const std::vector<std::string>& lines) {
  std::map<std::string, std::string> fields;
  std::string name;
  for (const auto& line : lines) {
    if (line.starts_with('#')) continue;
    if (line.starts_with(' ') || line.starts_with('\t')) {
      fields[name] += line;
      continue;
    }
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    name = line.substr(0, colon);
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    fields[name] = line.substr(colon + 1);
  }
  const auto types = ros::words(fields["types"]);
  const std::string enabled(ros::trim(fields["enabled"]));
  if (std::ranges::find(types, "deb") == types.end() || enabled == "no" || enabled == "false")
    return std::nullopt;
  return Source{ros::words(fields["uris"]), fields["signed-by"]};
}

std::vector<Source> parse_sources(const fs::path& file) {
  const auto text = ros::try_read_file(file);
  std::vector<Source> sources;
  if (!text) return sources;
  const bool deb822 = file.extension() == ".sources";
  std::vector<std::string> paragraph;
  for (const auto& line : ros::split(*text + "\n\n", '\n')) {
    if (!deb822) {
      if (auto source = parse_one_line(line)) sources.push_back(std::move(*source));
    } else if (!ros::trim(line).empty()) {
      paragraph.push_back(line);
    } else {
      if (auto source = parse_paragraph(paragraph)) sources.push_back(std::move(*source));
      paragraph.clear();
    }
  }
  return sources;
}

// "mirror+file:LIST" names a file with one mirror a line; the first one counts.
std::string plain_url(const std::string& url) {
  constexpr std::string_view kList = "mirror+file:";
  if (!url.starts_with(kList)) return without_slash(url);
  std::string path = url.substr(kList.size());
  while (path.starts_with("//")) path.erase(0, 1);
  for (const auto& line : ros::split(ros::try_read_file(path).value_or(""), '\n')) {
    const auto fields = ros::words(line);
    if (!fields.empty() && !fields[0].starts_with('#')) return without_slash(fields[0]);
  }
  return "";
}

bool has_component(const std::string& url, std::string_view wanted) {
  const auto parts = ros::split(url, '/');
  return std::ranges::find(parts, wanted) != parts.end();
}

std::vector<fs::path> source_files(const fs::path& folder) {
  std::vector<fs::path> files{folder / "sources.list"};
  boost::system::error_code failed;
  std::vector<fs::path> parts;
  for (fs::directory_iterator it{folder / "sources.list.d", failed}, end; it != end; ++it)
    if (it->path().extension() == ".list" || it->path().extension() == ".sources")
      parts.push_back(it->path());
  std::ranges::sort(parts);
  files.insert(files.end(), parts.begin(), parts.end());
  return files;
}

void take_first(Mirror& mirror, const fs::path& folder, bool foreign) {
  for (const auto& file : source_files(folder)) {
    for (const auto& source : parse_sources(file)) {
      if (source.urls.empty() || is_foreign(source) != foreign) continue;
      const std::string url = plain_url(source.urls[0]);
      if (!url.starts_with("http://") && !url.starts_with("https://") &&
          !url.starts_with("file:///"))
        continue;
      if (has_component(url, "debian-security")) {
        if (mirror.security.empty()) mirror.security = url;
      } else if (has_component(url, "debian") && mirror.debian.empty()) {
        mirror.debian = url;
        mirror.origin = file.string();
      }
    }
  }
}

Mirror from_host(const fs::path& folder) {
  Mirror mirror;
  // Keys of one's own may be those of an own copy of Debian's archive: better than none.
  for (const bool foreign : {false, true}) take_first(mirror, folder, foreign);
  if (!mirror.debian.empty() && mirror.security.empty())
    mirror.security = security_sibling(mirror.debian);
  return mirror;
}

Mirror choose(std::string_view option, const fs::path& sources) {
  if (const auto urls = ros::words(option); !urls.empty()) return from_words(urls, "--mirror");
  if (const char* value = std::getenv("ROSBUILD_MIRROR"))
    if (const auto urls = ros::words(value); !urls.empty())
      return from_words(urls, "ROSBUILD_MIRROR");
  Mirror mirror = from_host(sources);
  if (mirror.debian.empty())
    throw Error{fmt::format("no Debian mirror: {} names none", sources.string()),
                Error::Kind::usage}
        .hint("name one with --mirror URL or the environment variable ROSBUILD_MIRROR");
  return mirror;
}

}  // namespace

std::string Mirror::url(const LockedPackage& package) const {
  return (package.archive == "debian" ? debian : security) + "/" + package.path;
}

std::string Mirror::description() const {
  return fmt::format("{} and {}, which {} names", debian, security, origin);
}

Mirror find_mirror(std::string_view option, const fs::path& sources) {
  Mirror mirror = choose(option, sources);
  mirror.proxies = host_proxies();
  return mirror;
}

}  // namespace rosbuild
