// Small text functions that both programs share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ros {

std::string_view trim(std::string_view text);
// Splits at every `separator`; empty fields are kept.
std::vector<std::string> split(std::string_view text, char separator);
// Splits at runs of blanks, tabs and newlines; no empty fields.
std::vector<std::string> words(std::string_view text);
// Splits as a shell does: quotes and backslashes count (POSIX.1-2017, XCU 2.2), nothing is
// expanded. Throws Error when a quote is not closed or the text ends with a backslash.
std::vector<std::string> shell_words(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string replace_all(std::string text, std::string_view from, std::string_view to);

// Shell-quoted when needed, for showing a command that can be pasted.
std::string quote(std::string_view argument);
std::string quote(const std::vector<std::string>& argv);

// fnmatch(3) with FNM_PATHNAME, and "**" for any number of path components.
bool glob_match(std::string_view pattern, std::string_view path);

// The candidate nearest to `word` (at most three edits, Damerau-Levenshtein),
// for "did you mean".
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

std::string hex(std::string_view bytes);
std::string human_size(std::uint64_t bytes);                      // "61.2 MB", powers of 1000
std::optional<std::string> decode_base64(std::string_view text);  // RFC 4648, blanks ignored

}  // namespace ros
