// Messages of several parts: RFC 2045 and 2046, as much of them as tools that
// pack user-data write. Pure functions; views point into the text given.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ros {

struct MimeEntity {
  std::string type;      // "text/plain", lower case, without parameters; "" when not given
  std::string boundary;  // of a multipart
  std::string encoding;  // lower case
  std::string_view body;
};

MimeEntity parse_mime(std::string_view text);

// The parts between the boundaries; what stands before and behind is for people.
// `whole` becomes false when the last boundary is missing: the part that it
// should have ended may be cut anywhere, and is left out.
std::vector<std::string_view> mime_parts(std::string_view body, const std::string& boundary,
                                         bool& whole);

// The body without its transfer encoding; nothing when that is wrong or unknown.
std::optional<std::string> decoded_body(const MimeEntity& entity);

std::string lower_case(std::string_view text);  // ASCII
// Takes the first line, without its end, off `text`.
std::string_view take_line(std::string_view& text);

}  // namespace ros
