#include "runtime/ros/xml.h"

#include <algorithm>
#include <charconv>

#include "runtime/base/text.h"

namespace ros {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

void append_utf8(std::string& text, unsigned code) {
  const auto byte = [&](unsigned value) { text += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x110000) {
    byte(0xf0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3f));
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

// Entities that XML itself has, and numbers; others stay as they are.
std::string decoded(std::string_view text) {
  static const std::vector<std::pair<std::string_view, char>> entities{
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
  std::string result;
  while (!text.empty()) {
    const auto start = std::min(text.find('&'), text.size());
    result += text.substr(0, start);
    text.remove_prefix(start);
    const auto end = text.substr(0, 12).find(';');
    if (end == std::string_view::npos) {
      result += text.substr(0, 1);
      text.remove_prefix(std::min<std::size_t>(1, text.size()));
      continue;
    }
    std::string_view name = text.substr(1, end - 1);
    const auto before = result.size();
    for (const auto& [known, character] : entities) {
      if (name == known) result += character;
    }
    if (name.starts_with('#')) {
      name.remove_prefix(1);
      const int base = name.starts_with('x') ? 16 : 10;
      if (base == 16) name.remove_prefix(1);
      unsigned code = 0;
      const auto [stop, error] =
          std::from_chars(name.data(), name.data() + name.size(), code, base);
      if (error == std::errc{} && stop == name.data() + name.size()) append_utf8(result, code);
    }
    if (result.size() == before) result += text.substr(0, end + 1);
    text.remove_prefix(end + 1);
  }
  return result;
}

std::string_view without_prefix(std::string_view name) {
  const auto colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

// Takes what stands before `end` and `end` itself off `xml`; false when it has none.
bool skip_past(std::string_view& xml, std::string_view end) {
  const auto at = xml.find(end);
  if (at == std::string_view::npos) return false;
  xml.remove_prefix(at + end.size());
  return true;
}

void skip_blanks(std::string_view& xml) {
  xml.remove_prefix(std::min(xml.find_first_not_of(kBlanks), xml.size()));
}

// `xml` begins behind the <. Takes the tag off it, with its >.
bool take_tag(std::string_view& xml, XmlElement& element, bool& empty) {
  const auto end = xml.find_first_of(" \t\r\n/>");
  if (end == std::string_view::npos || end == 0) return false;
  element.name = without_prefix(xml.substr(0, end));
  xml.remove_prefix(end);
  for (;;) {
    skip_blanks(xml);
    empty = xml.starts_with("/>");
    if (empty || xml.starts_with('>')) {
      xml.remove_prefix(empty ? 2 : 1);
      return true;
    }
    const auto equals = xml.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view name = trim(xml.substr(0, equals));
    if (name.empty() || name.find_first_of("<>/\"'") != std::string_view::npos) return false;
    xml.remove_prefix(equals + 1);
    skip_blanks(xml);
    if (xml.empty() || (xml.front() != '"' && xml.front() != '\'')) return false;
    const auto close = xml.find(xml.front(), 1);
    if (close == std::string_view::npos) return false;
    element.attributes.emplace_back(without_prefix(name), decoded(xml.substr(1, close - 1)));
    xml.remove_prefix(close + 1);
  }
}

}  // namespace

std::string XmlElement::attribute(std::string_view wanted) const {
  for (const auto& [given, value] : attributes) {
    if (given == wanted) return value;
  }
  return {};
}

bool for_each_element(std::string_view xml, const std::function<void(const XmlElement&)>& visit) {
  std::vector<std::string_view> open;
  while (skip_past(xml, "<")) {
    if (xml.starts_with("!--")) {
      if (!skip_past(xml, "-->")) return false;
    } else if (xml.starts_with("![CDATA[")) {
      if (!skip_past(xml, "]]>")) return false;
    } else if (xml.starts_with('?') || xml.starts_with('!')) {
      if (!skip_past(xml, ">")) return false;
    } else if (xml.starts_with('/')) {
      const auto end = xml.find('>');
      if (end == std::string_view::npos || open.empty()) return false;
      if (without_prefix(trim(xml.substr(1, end - 1))) != open.back()) return false;
      open.pop_back();
      xml.remove_prefix(end + 1);
    } else {
      XmlElement element;
      bool empty = false;
      if (!take_tag(xml, element, empty)) return false;
      if (!empty) {
        element.text = decoded(trim(xml.substr(0, xml.find('<'))));
        open.push_back(element.name);
      }
      visit(element);
    }
  }
  return open.empty();
}

}  // namespace ros
