// The only file that knows yaml-cpp. Its emitter is used too, but quoting is
// decided here: a scalar that was written quoted, or that would read back as
// something else, is quoted.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "runtime/config/value.h"

namespace ros {
namespace {

constexpr std::size_t kMaxText = 4u << 20;
// Aliases may multiply a small file into a huge tree; configuration is small.
constexpr std::size_t kMaxNodes = 50'000;
constexpr std::size_t kMaxBytes = 2 * kMaxText;
// YAML 1.2 bounds a key on one line to 1024 characters, and escapes take up to four.
constexpr std::size_t kMaxKey = 250;
constexpr int kMaxDepth = 64;

Error problem(const std::string& message, const YAML::Mark& mark, const std::string& file) {
  Position position{file, 0, 0};
  if (!mark.is_null()) position = {file, mark.line + 1, mark.column + 1};
  return Error{message, Error::Kind::input}.at(position);
}

// The length of the UTF-8 character (RFC 3629) that `text` begins with, 0 when it begins with none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf5 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || length == 0) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong, a surrogate, or past the last character.
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0)) return 0;
  if ((first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90)) return 0;
  return length;
}

// yaml-cpp would replace or drop what is no text, and stop at the byte 4.
void require_text(std::string_view text, const std::string& file) {
  Position place{file, 1, 1};
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) throw Error{"this is not UTF-8 text", Error::Kind::input}.at(place);
    const auto c = static_cast<unsigned char>(text.front());
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
      throw Error{"a control character is not allowed", Error::Kind::input}.at(place).hint(
          "write binary content with encoding: b64");
    }
    ++place.column;
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    }
    text.remove_prefix(length);
  }
}

// yaml-cpp makes one byte, which is no text, of the escapes \N (U+0085) and \_ (U+00A0).
std::string as_text(std::string_view scalar) {
  std::string text;
  text.reserve(scalar.size());
  while (!scalar.empty()) {
    const std::size_t length = utf8_length(scalar);
    if (length == 0) text += '\xc2';
    text += scalar.substr(0, std::max<std::size_t>(length, 1));
    scalar.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

struct Cost {
  std::size_t nodes = 0;
  std::size_t bytes = 0;
  int height = 0;

  void include(const Cost& below) {
    nodes += below.nodes;
    bytes += below.bytes;
    height = std::max(height, below.height + 1);
  }
};

Cost cost_of(const Value& value) {
  Cost cost{1, value.text().size(), 0};
  for (const auto& item : value.items()) cost.include(cost_of(item));
  for (const auto& [key, child] : value.members()) {
    cost.include(cost_of(child));
    cost.bytes += key.size();
  }
  return cost;
}

// Makes the tree from the parser's events. yaml-cpp's own nodes would share what
// aliases name, without a bound and even with their own parents.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const std::string& file) : file_{file} {}
  Value take() { return std::move(document_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw problem("one document expected", mark, file_);
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    leaf(Value{}, mark, anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& scalar) override {
    const std::string text = as_text(scalar);
    const bool plain = tag != "!";
    const bool null = plain && (text == "~" || text == "null");
    leaf(null ? Value{} : Value::scalar(text, plain), mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      throw problem("an alias of the value that it is part of", mark, file_);
    }
    charge(found->second.cost, mark);
    add(found->second.value, mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Value::list(), mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Value::map(), mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {  // a list or map whose end is not reached
    Value value;
    YAML::Mark mark;
    YAML::anchor_t anchor;
    bool has_key = false;  // of the member that is read
    std::string key{};
    Position key_position{};
    std::set<std::string> seen{};
  };
  struct Anchor {
    Value value;
    Cost cost;
  };

  Position place(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }

  void charge(const Cost& cost, const YAML::Mark& mark) {
    total_.include(cost);
    if (total_.nodes > kMaxNodes) throw problem("too many values", mark, file_);
    if (total_.bytes > kMaxBytes) throw problem("too much text", mark, file_);
    if (static_cast<int>(open_.size()) + cost.height > kMaxDepth) {
      throw problem("nested too deeply", mark, file_);
    }
  }

  void leaf(Value value, const YAML::Mark& mark, YAML::anchor_t anchor) {
    charge(cost_of(value), mark);
    remember(value, mark, anchor);
    add(std::move(value), mark);
  }

  void open(Value value, const YAML::Mark& mark, YAML::anchor_t anchor) {
    charge({1, 0, 0}, mark);
    if (wants_key()) throw problem("a key must be a single word", mark, file_);
    open_.push_back({std::move(value), mark, anchor});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    remember(done.value, done.mark, done.anchor);
    add(std::move(done.value), done.mark);
  }

  void remember(const Value& value, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == 0) return;
    const Cost cost = cost_of(value);
    charge(cost, mark);  // it is a copy
    Anchor& kept = anchors_[anchor] = {value, cost};
    kept.value.set_position(place(mark));
  }

  bool wants_key() const {
    return !open_.empty() && open_.back().value.is_map() && !open_.back().has_key;
  }

  void add(Value value, const YAML::Mark& mark) {
    value.set_position(place(mark));
    if (open_.empty()) {
      document_ = std::move(value);
    } else if (wants_key()) {
      take_key(value, mark);
    } else if (Open& parent = open_.back(); parent.value.is_map()) {
      value.set_position(parent.key_position);  // the key's place is what a reader looks for
      parent.value.members().emplace_back(std::move(parent.key), std::move(value));
      parent.has_key = false;
    } else {
      parent.value.items().push_back(std::move(value));
    }
  }

  void take_key(const Value& value, const YAML::Mark& mark) {
    if (!value.is_scalar()) throw problem("a key must be a single word", mark, file_);
    if (value.text().size() > kMaxKey) throw problem("this key is too long", mark, file_);
    Open& map = open_.back();
    if (!map.seen.insert(value.text()).second) {
      throw problem("the key " + value.text() + " is given twice", mark, file_);
    }
    map.has_key = true;
    map.key = value.text();
    map.key_position = place(mark);
  }

  const std::string& file_;
  int documents_ = 0;
  Value document_{};
  Cost total_{};
  std::vector<Open> open_{};
  std::map<YAML::anchor_t, Anchor> anchors_{};  // of values whose end is reached
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

// No control character but the ends of lines?
bool only_lines(const std::string& text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f;
  });
}

void emit(YAML::Emitter& out, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null:
      out << YAML::Null;
      break;
    case Value::Kind::scalar:
      if (value.text().find('\n') != std::string::npos && only_lines(value.text()) &&
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
  require_text(text, file);
  try {
    std::istringstream stream{std::string{text}};
    YAML::Parser parser{stream};
    Builder builder{file};
    while (parser.HandleNextDocument(builder)) continue;
    return builder.take();
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
