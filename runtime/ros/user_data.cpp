#include "runtime/ros/user_data.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/config/value.h"
#include "runtime/ros/mime.h"
#include "runtime/ros/process.h"

namespace ros {
namespace {

constexpr int kMaxDepth = 5;  // of messages and includes in each other
constexpr int kMaxParts = 64;

// Text with the line ends of DOS; judged by the first line, for a script may
// carry an archive behind it.
std::string unix_lines(std::string text) {
  const auto end = text.find('\n');
  if (end == std::string::npos || end == 0 || text[end - 1] != '\r') return text;
  return replace_all(std::move(text), "\r\n", "\n");
}

enum class Kind { nothing, config, compose, script, include, message, other };

Kind kind_of_text(std::string_view text) {
  if (trim(text).empty()) return Kind::nothing;
  const std::string_view line = trim(text.substr(0, text.find('\n')));
  const std::string_view word = line.substr(0, line.find_first_of(" \t"));
  if (line.starts_with("#!")) return Kind::script;
  if (word == "#include" || word == "#include-once") return Kind::include;
  if (word == "#cloud-config") return Kind::config;
  if (word == "#compose") return Kind::compose;
  const std::string start = lower_case(line);
  if (start.starts_with("content-type:") || start.starts_with("mime-version:")) {
    return Kind::message;
  }
  return Kind::other;
}

Kind kind_of_type(std::string_view type, std::string_view text) {
  if (type.starts_with("multipart/")) return Kind::message;
  if (trim(text).empty()) return Kind::nothing;
  if (type == "text/cloud-config") return Kind::config;
  if (type == "text/x-shellscript") return Kind::script;
  if (type == "text/x-include-url" || type == "text/x-include-once-url") return Kind::include;
  const bool says_nothing = type.empty() || type == "text/plain" || type == "application/gzip" ||
                            type == "application/x-gzip" || type == "application/octet-stream";
  return says_nothing ? kind_of_text(text) : Kind::other;
}

// Formats of cloud-init that are recognised in order to be refused by name.
bool is_foreign(std::string_view text) {
  for (const char* start : {"## template:", "#cloud-boothook", "#part-handler", "#upstart-job",
                            "#cloud-config-archive", "#cloud-config-jsonp"}) {
    if (text.starts_with(start)) return true;
  }
  const std::string line = lower_case(trim(text).substr(0, 16));
  return line.starts_with("<!doctype") || line.starts_with("<html");
}

class Splitter {
 public:
  Splitter(const FetchUrl& fetch, std::vector<std::string>& problems)
      : fetch_(fetch), problems_(problems) {}

  void add(std::string text, const std::string& source, int depth) {
    if (!unpack(text, source)) return;
    Kind kind = kind_of_text(text);
    // Without a header it has always been taken for a cloud-config.
    if (kind == Kind::other && !is_foreign(text)) kind = Kind::config;
    add(kind, std::move(text), source, depth);
  }

  UserDataParts finish() && {
    if (configs_.size() == 1 && !configs_[0].compose) {
      parts_.config = std::move(configs_[0].text);
    } else if (!configs_.empty()) {
      merge_configs();
    }
    return std::move(parts_);
  }

 private:
  struct Config {
    std::string text;
    std::string source;
    bool compose = false;
  };

  void problem(const std::string& source, std::string_view what) {
    problems_.push_back(fmt::format("{}: {}", source, what));
  }

  bool unpack(std::string& text, const std::string& source) {
    if (text.starts_with("\x1f\x8b")) {
      try {
        auto [status, output] = capture_bounded({"gzip", "-dc"}, text, kMaxUnpacked);
        if (status != 0) throw Error{fmt::format("gzip ended with status {}", status)};
        text = std::move(output);
      } catch (const Error& error) {
        problem(source, fmt::format("cannot be decompressed: {}", error.what()));
        return false;
      }
    }
    if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
    return true;
  }

  void add(Kind kind, std::string text, const std::string& source, int depth) {
    switch (kind) {
      case Kind::nothing:
        return;
      case Kind::config:
      case Kind::compose:
        configs_.push_back({unix_lines(std::move(text)), source, kind == Kind::compose});
        return;
      case Kind::script:
        text = unix_lines(std::move(text));
        if (text.starts_with("#!")) {
          parts_.scripts.push_back(std::move(text));
        } else {
          problem(source, "a script has to begin with #!");
        }
        return;
      case Kind::message:
        add_message(text, source, depth);
        return;
      case Kind::include:
        add_includes(text, source, depth);
        return;
      case Kind::other:
        problem(source, fmt::format("user-data that begins with \"{}\" is not understood",
                                    first_words(text)));
        return;
    }
  }

  static std::string first_words(std::string_view text) {
    std::string line{trim(text.substr(0, text.find('\n'))).substr(0, 40)};
    for (char& c : line) {
      if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
    }
    return line;
  }

  bool goes_deeper(const std::string& source, int depth) {
    if (depth >= kMaxDepth) {
      problem(source, "nested too deeply");
    } else if (++count_ > kMaxParts) {
      if (count_ == kMaxParts + 1) problem(source, "too many parts; the rest is left out");
    } else {
      return true;
    }
    return false;
  }

  void add_message(std::string_view text, const std::string& source, int depth) {
    const MimeEntity message = parse_mime(text);
    if (!message.type.starts_with("multipart/")) {
      add_part(message, source, depth);
      return;
    }
    if (message.boundary.empty()) {
      problem(source, "a message of several parts has to name its boundary");
      return;
    }
    bool whole = false;
    const auto parts = mime_parts(message.body, message.boundary, whole);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::string name = fmt::format("{}, part {}", source, i + 1);
      if (!goes_deeper(name, depth)) return;
      const MimeEntity part = parse_mime(parts[i]);
      if (part.type.starts_with("multipart/")) {
        add_message(parts[i], name, depth + 1);
      } else {
        add_part(part, name, depth + 1);
      }
    }
    if (!whole) problem(source, fmt::format("ends in the middle of part {}", parts.size() + 1));
  }

  void add_part(const MimeEntity& part, const std::string& source, int depth) {
    auto text = decoded_body(part);
    if (!text) {
      problem(source, fmt::format("is no valid {}", part.encoding));
      return;
    }
    if (!unpack(*text, source)) return;
    const Kind kind = kind_of_type(part.type, *text);
    if (kind == Kind::other) {
      problem(source, fmt::format("{} that begins with \"{}\" is not understood",
                                  part.type.empty() ? "text" : part.type, first_words(*text)));
    } else if (kind != Kind::message) {
      add(kind, std::move(*text), source, depth);
    } else if (goes_deeper(source, depth)) {
      add_message(*text, source, depth + 1);
    }
  }

  // "#include URL", or a URL a line; lines with # are comments.
  void add_includes(std::string_view text, const std::string& source, int depth) {
    while (!text.empty()) {
      std::string_view line = trim(take_line(text));
      if (line.starts_with("#include")) {
        line.remove_prefix(std::min(line.find_first_of(" \t"), line.size()));
        line = trim(line);
      }
      if (line.empty() || line.starts_with('#')) continue;
      const std::string url{line};
      if (!url.starts_with("http://") && !url.starts_with("https://")) {
        problem(source, fmt::format("#include {}: only http and https", first_words(url)));
        continue;
      }
      if (!fetch_) continue;
      if (!goes_deeper(source, depth)) return;
      try {
        add(fetch_(url), fmt::format("{}, {}", source, url), depth + 1);
      } catch (const Error& error) {
        problem(source, fmt::format("#include {}: {}", url, error.what()));
      }
    }
  }

  void merge_configs() {
    Value merged = Value::map();
    for (const auto& config : configs_) {
      try {
        Value tree = parse_yaml(config.text, config.source);
        if (config.compose) {
          Value services = std::move(tree);
          tree = Value::map();
          tree.set_path("rancher.services", std::move(services));
        }
        if (tree.is_map()) {
          merge(merged, tree);
        } else if (!tree.is_null()) {
          problem(config.source, "is no cloud-config");
        }
      } catch (const Error& error) {
        problems_.emplace_back(error.what());
      }
    }
    if (!merged.members().empty()) parts_.config = "#cloud-config\n" + to_yaml(merged);
  }

  const FetchUrl& fetch_;
  std::vector<std::string>& problems_;
  UserDataParts parts_;
  std::vector<Config> configs_;
  int count_ = 0;
};

}  // namespace

UserDataParts split_user_data(std::string_view text, const std::string& source,
                              const FetchUrl& fetch, std::vector<std::string>& problems) {
  Splitter splitter{fetch, problems};
  splitter.add(std::string{text}, source, 0);
  return std::move(splitter).finish();
}

bool needs_network(std::string_view text) {
  bool asked = false;
  std::vector<std::string> ignored;
  split_user_data(
      text, {},
      [&](const std::string&) {
        asked = true;
        return std::string{};
      },
      ignored);
  return asked;
}

}  // namespace ros
