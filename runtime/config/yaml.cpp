// The only file that knows yaml-cpp. Its emitter is used too, but quoting is
// decided here: a scalar that was written quoted, or that would read back as
// something else, is quoted.
#include <yaml-cpp/yaml.h>

#include <set>

#include "runtime/config/value.h"

namespace ros {
namespace {

// Aliases may multiply a small file into a huge tree; configuration is small.
constexpr std::size_t kMaxText = 4u << 20;
constexpr std::size_t kMaxNodes = 100'000;
constexpr int kMaxDepth = 64;

Error problem(const std::string& message, const YAML::Mark& mark, const std::string& file) {
  Position position{file, 0, 0};
  if (!mark.is_null()) position = {file, mark.line + 1, mark.column + 1};
  return Error{message, Error::Kind::input}.at(position);
}

struct Converter {
  const std::string& file;
  std::size_t nodes = 0;

  Value convert(const YAML::Node& node, int depth) {
    if (++nodes > kMaxNodes) throw problem("too many values", node.Mark(), file);
    if (depth > kMaxDepth) throw problem("nested too deeply", node.Mark(), file);
    Value value;
    switch (node.Type()) {
      case YAML::NodeType::Scalar: {
        const bool plain = node.Tag() != "!";
        if (plain && (node.Scalar() == "~" || node.Scalar() == "null")) break;
        value = Value::scalar(node.Scalar(), plain);
        break;
      }
      case YAML::NodeType::Sequence:
        value = Value::list();
        for (const auto& item : node) value.items().push_back(convert(item, depth + 1));
        break;
      case YAML::NodeType::Map: {
        value = Value::map();
        std::set<std::string> seen;
        for (const auto& member : node) {
          if (!member.first.IsScalar()) {
            throw problem("a key must be a single word", member.first.Mark(), file);
          }
          const std::string& key = member.first.Scalar();
          if (!seen.insert(key).second) {
            throw problem("the key " + key + " is given twice", member.first.Mark(), file);
          }
          Value child = convert(member.second, depth + 1);
          // The key's place is what a reader looks for.
          const auto mark = member.first.Mark();
          child.set_position({file, mark.line + 1, mark.column + 1});
          value.members().emplace_back(key, std::move(child));
        }
        break;
      }
      default:
        break;
    }
    const auto mark = node.Mark();
    if (!mark.is_null()) value.set_position({file, mark.line + 1, mark.column + 1});
    return value;
  }
};

// Would a plain scalar of this text read back as the same text?
bool safe_plain(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text.size() > 120) return false;
  const std::string_view first = "-?:,[]{}#&*!|>'\"%@` =<";
  if (first.find(text.front()) != std::string_view::npos || text.back() == ' ') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return false;
    if (c == ':' && (i + 1 == text.size() || text[i + 1] == ' ')) return false;
    if (c == '#' && i > 0 && text[i - 1] == ' ') return false;
  }
  return true;
}

// A quoted scalar may lose its quotes when nobody could take it for another type.
bool looks_typed(const Value& value) {
  return value.as_bool() || value.as_int() ||
         value.text().find_first_not_of("0123456789.eE+-_:") == std::string::npos;
}

void emit(YAML::Emitter& out, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null:
      out << YAML::Null;
      break;
    case Value::Kind::scalar:
      if (value.text().find('\n') != std::string::npos &&
          value.text().find_first_of("\t\r\x7f") == std::string::npos &&
          value.text().front() != ' ' && value.text().back() == '\n' &&
          !value.text().ends_with("\n\n") && value.text().front() != '\n') {
        out << YAML::Literal << value.text();
      } else if (safe_plain(value.text()) && (value.plain() || !looks_typed(value))) {
        out << value.text();
      } else {
        out << YAML::DoubleQuoted << value.text();
      }
      break;
    case Value::Kind::list:
      if (value.items().empty()) out << YAML::Flow;
      out << YAML::BeginSeq;
      for (const auto& item : value.items()) emit(out, item);
      out << YAML::EndSeq;
      break;
    case Value::Kind::map:
      if (value.members().empty()) out << YAML::Flow;
      out << YAML::BeginMap;
      for (const auto& [key, child] : value.members()) {
        out << YAML::Key;
        emit(out, Value::scalar(key));
        out << YAML::Value;
        emit(out, child);
      }
      out << YAML::EndMap;
      break;
  }
}

}  // namespace

Value parse_yaml(std::string_view text, const std::string& file) {
  if (text.size() > kMaxText) {
    throw Error{"larger than 4 MiB", Error::Kind::input}.at({file, 0, 0});
  }
  try {
    const auto documents = YAML::LoadAll(std::string{text});
    if (documents.empty()) return Value{};
    if (documents.size() > 1) {
      throw problem("one document expected", documents[1].Mark(), file);
    }
    return Converter{file}.convert(documents.front(), 0);
  } catch (const YAML::Exception& exception) {
    throw problem(exception.msg, exception.mark, file);
  }
}

std::string to_yaml(const Value& value) {
  YAML::Emitter out;
  out.SetIndent(2);
  emit(out, value);
  return std::string{out.c_str()} + "\n";
}

}  // namespace ros
