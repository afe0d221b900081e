#include "runtime/ros/mime.h"

#include <algorithm>
#include <cctype>

#include "runtime/base/text.h"

namespace ros {
namespace {

// The parameter `name` of a header ("type/sub; a=b; name=\"value\"").
std::string parameter(std::string_view header, std::string_view name) {
  std::size_t at = header.find(';');
  while (at != std::string_view::npos) {
    header.remove_prefix(at + 1);
    const auto equals = header.find('=');
    if (equals == std::string_view::npos) return {};
    const std::string key = lower_case(trim(header.substr(0, equals)));
    header = trim(header.substr(equals + 1));
    std::string value;
    if (header.starts_with('"')) {
      std::size_t i = 1;
      for (; i < header.size() && header[i] != '"'; ++i) {
        if (header[i] == '\\' && i + 1 < header.size()) ++i;
        value += header[i];
      }
      header.remove_prefix(std::min(i + 1, header.size()));
    } else {
      value = trim(header.substr(0, header.find(';')));
    }
    if (key == name) return value;
    at = header.find(';');
  }
  return {};
}

std::string decode_quoted_printable(std::string_view text) {
  const auto digit = [](char c) {
    const auto at = std::string_view{"0123456789abcdef"}.find(
        static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
  };
  std::string bytes;
  while (!text.empty()) {
    const bool ends = text.find('\n') != std::string_view::npos;
    std::string_view line = take_line(text);
    while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
    const bool soft = line.ends_with('=');
    if (soft) line.remove_suffix(1);
    for (std::size_t i = 0; i < line.size(); ++i) {
      const int high = i + 2 < line.size() ? digit(line[i + 1]) : -1;
      const int low = i + 2 < line.size() ? digit(line[i + 2]) : -1;
      if (line[i] == '=' && high >= 0 && low >= 0) {
        bytes += static_cast<char>(high * 16 + low);
        i += 2;
      } else {
        bytes += line[i];
      }
    }
    if (!soft && ends) bytes += '\n';
  }
  return bytes;
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string result{text};
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

std::string_view take_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

MimeEntity parse_mime(std::string_view text) {
  MimeEntity entity;
  std::vector<std::string> headers;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (trim(line).empty()) break;
    const bool continued = line.front() == ' ' || line.front() == '\t';
    if (continued && !headers.empty()) {
      headers.back().append(" ").append(trim(line));
    } else {
      headers.emplace_back(line);
    }
  }
  entity.body = text;
  for (const auto& header : headers) {
    const auto colon = std::min(header.find(':'), header.size());
    const std::string name = lower_case(trim(header.substr(0, colon)));
    const std::string_view value =
        trim(std::string_view{header}.substr(std::min(colon + 1, header.size())));
    if (name == "content-type") {
      entity.type = lower_case(trim(value.substr(0, value.find(';'))));
      entity.boundary = parameter(value, "boundary");
    } else if (name == "content-transfer-encoding") {
      entity.encoding = lower_case(value);
    }
  }
  return entity;
}

std::vector<std::string_view> mime_parts(std::string_view body, const std::string& boundary,
                                         bool& whole) {
  std::vector<std::string_view> parts;
  const std::string mark = "--" + boundary;
  std::string_view rest = body;
  const char* start = nullptr;
  whole = false;
  while (!rest.empty() && !whole) {
    const char* const line_start = rest.data();
    std::string_view line = take_line(rest);
    if (!line.starts_with(mark)) continue;
    line.remove_prefix(mark.size());
    const bool last = line.starts_with("--");
    if (!trim(last ? line.substr(2) : line).empty()) continue;  // a longer boundary
    if (start) {
      std::string_view part{start, static_cast<std::size_t>(line_start - start)};
      // The line end before a boundary belongs to the boundary.
      if (part.ends_with('\n')) part.remove_suffix(1);
      if (part.ends_with('\r')) part.remove_suffix(1);
      parts.push_back(part);
    }
    start = rest.data();
    whole = last;
  }
  return parts;
}

std::optional<std::string> decoded_body(const MimeEntity& entity) {
  if (entity.encoding == "base64") return decode_base64(entity.body);
  if (entity.encoding == "quoted-printable") return decode_quoted_printable(entity.body);
  if (entity.encoding.empty() || entity.encoding == "7bit" || entity.encoding == "8bit" ||
      entity.encoding == "binary") {
    return std::string{entity.body};
  }
  return std::nullopt;
}

}  // namespace ros
