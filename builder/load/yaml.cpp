#include "builder/load/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <sstream>

#include "runtime/base/text.h"

namespace rosbuild {
namespace {

// Far beyond any recipe, and small enough that neither our recursion nor the
// scanner's look-ahead (which is quadratic in places) is felt.
constexpr std::size_t kDeepest = 16;
constexpr std::size_t kLargest = 256 * 1024;

// Ends a parse that cannot go on; its text is already among the problems.
struct GiveUp {};

ros::Position position(const std::string& file, const YAML::Mark& mark) {
  if (mark.is_null()) return {file, 1, 1};
  return {file, mark.line + 1, mark.column + 1};
}

// Builds Nodes from the parser's events. Open containers are on a stack; in a
// map, events alternate between key and value.
class Builder : public YAML::EventHandler {
 public:
  Builder(const std::string& file, ros::Problems& problems) : file_(file), problems_(problems) {}

  Node take() { return std::move(root_); }
  // Where the last text in quotes starts; line 0: there is none.
  const ros::Position& last_quoted() const { return last_quoted_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse(mark, "", anchor);
    Node node = make(Node::Kind::null, mark);
    // The parser reports an absent value where the next token is.
    if (!open_.empty() && open_.back().has_key) node.at = open_.back().key.at;
    add(std::move(node));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    give_up(mark, "aliases ('*name') are not used in recipes");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse(mark, tag, anchor);
    Node node = make(Node::Kind::scalar, mark);
    node.scalar = value;
    node.quoted = tag == "!";
    if (node.quoted) last_quoted_ = node.at;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse(mark, tag, anchor);
    push(make(Node::Kind::list, mark), mark);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse(mark, tag, anchor);
    push(make(Node::Kind::map, mark), mark);
  }
  void OnSequenceEnd() override { pop(); }
  void OnMapEnd() override { pop(); }

 private:
  struct Open {
    Node node;
    Text key;
    bool has_key = false;
  };

  Node make(Node::Kind kind, const YAML::Mark& mark) const {
    Node node;
    node.kind = kind;
    node.at = position(file_, mark);
    return node;
  }

  [[noreturn]] void give_up(const YAML::Mark& mark, const std::string& message) {
    problems_.add(problem(position(file_, mark), message));
    throw GiveUp{};
  }

  // "?" is a plain scalar's tag, "!" a quoted one's; all others were written.
  void refuse(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) give_up(mark, "anchors ('&name') are not used in recipes");
    if (!tag.empty() && tag != "?" && tag != "!")
      give_up(mark, fmt::format("tags ('{}') are not used in recipes", tag));
  }

  void push(Node node, const YAML::Mark& mark) {
    if (open_.size() >= kDeepest)
      give_up(mark, fmt::format("nested more than {} levels deep", kDeepest));
    if (!open_.empty() && open_.back().node.kind == Node::Kind::map && !open_.back().has_key)
      give_up(mark, "a key must be text (or a bracket was left open)");
    open_.push_back({std::move(node), {}, false});
  }

  void pop() {
    Node node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    auto& parent = open_.back();
    if (parent.node.kind == Node::Kind::list) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      parent.key = {node.scalar, node.at};
      parent.has_key = true;
    } else {
      add_member(parent, std::move(node));
      parent.has_key = false;
    }
  }

  void add_member(Open& parent, Node value) {
    auto& members = parent.node.members;
    const auto earlier = std::ranges::find(members, parent.key.value,
                                           [](const Member& member) { return member.key.value; });
    if (earlier == members.end()) {
      members.push_back({parent.key, std::move(value)});
      return;
    }
    problems_.add(problem(parent.key.at, fmt::format("key '{}' stands twice in one map; first in "
                                                     "line {}",
                                                     parent.key.value, earlier->key.at.line)));
  }

  const std::string& file_;
  ros::Problems& problems_;
  Node root_;
  ros::Position last_quoted_;
  std::vector<Open> open_;
};

std::string shown(const std::string& text) {
  constexpr std::size_t kShown = 40;
  const auto line = text.substr(0, text.find('\n'));
  if (line.size() == text.size() && line.size() <= kShown) return "'" + line + "'";
  return "'" + line.substr(0, kShown) + "…'";
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::scalar:
      return shown(node.scalar);
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map";
  }
  return {};
}

void expected(const char* what, const Node& node, ros::Problems& problems,
              const std::string& hint = {}) {
  problems.add(problem(node.at, fmt::format("expected {}, found {}", what, describe(node)), hint));
}

template <class Number>
std::optional<Number> parse_number(std::string_view text, int base) {
  Number value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// yaml-cpp takes the end of the file for a closing quote when a line break is
// before it, so that all lines from a forgotten quote on become one text. `at`
// is the last opening quote.
bool is_closed(std::string_view text, const ros::Position& at) {
  for (int line = 1; line < at.line; ++line)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  text.remove_prefix(std::min(static_cast<std::size_t>(at.column) - 1, text.size()));
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return true;  // cannot tell
  const char quote = text[0];
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 == text.size() || text[i + 1] != quote) return true;
      ++i;  // two single quotes stand for one
    }
  }
  return false;
}

struct Unit {
  std::string_view name;
  unsigned shift;
};
constexpr Unit kUnits[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"", 0}};

}  // namespace

ros::Error problem(const ros::Position& at, const std::string& message, const std::string& hint) {
  auto error = ros::Error{message, ros::Error::Kind::input}.at(at);
  return hint.empty() ? error : std::move(error).hint(hint);
}

std::string suggestion(const std::string& word, const std::vector<std::string>& candidates) {
  if (const auto near = ros::nearest(word, candidates))
    return fmt::format("did you mean '{}'?", *near);
  constexpr std::size_t kFew = 20;
  if (candidates.empty() || candidates.size() > kFew) return {};
  auto sorted = candidates;
  std::ranges::sort(sorted);
  return "known: " + ros::join(sorted, ", ");
}

std::optional<Node> parse_yaml(std::string_view text, const std::string& file,
                               ros::Problems& problems) {
  if (text.size() > kLargest) {
    problems.add(problem({file, 1, 1}, fmt::format("larger than {} KiB", kLargest / 1024)));
    return std::nullopt;
  }
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    const auto before = text.substr(0, nul);
    const auto line = std::ranges::count(before, '\n') + 1;
    problems.add(problem({file, static_cast<int>(line), 1}, "holds a NUL byte: this is no text"));
    return std::nullopt;
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(file, problems);
    if (!parser.HandleNextDocument(builder)) {
      problems.add(problem({file, 1, 1}, "the file is empty"));
      return std::nullopt;
    }
    if (const auto& at = builder.last_quoted(); at.line > 0 && !is_closed(text, at)) {
      problems.add(problem(at, "this quote is never closed"));
      return std::nullopt;
    }
    Node root = builder.take();
    Builder second(file, problems);
    if (parser.HandleNextDocument(second)) {
      problems.add(problem(second.take().at, "a second document; one file holds one"));
      return std::nullopt;
    }
    return root;
  } catch (const GiveUp&) {
  } catch (const YAML::Exception& error) {
    problems.add(problem(position(file, error.mark), "not valid YAML: " + error.msg));
  } catch (const std::exception& error) {
    problems.add(problem({file, 1, 1}, fmt::format("not valid YAML: {}", error.what())));
  }
  return std::nullopt;
}

std::optional<Node> load_yaml(const fs::path& path, ros::Problems& problems) {
  try {
    return parse_yaml(ros::read_file(path), path.string(), problems);
  } catch (const ros::Error& error) {
    problems.add(error);
    return std::nullopt;
  }
}

std::optional<Text> read_text(const Node& node, ros::Problems& problems) {
  if (node.kind == Node::Kind::scalar && !node.scalar.empty()) return Text{node.scalar, node.at};
  expected("text", node, problems);
  return std::nullopt;
}

std::optional<std::vector<Text>> read_texts(const Node& node, ros::Problems& problems) {
  if (node.kind != Node::Kind::list) {
    expected("a list", node, problems,
             node.kind == Node::Kind::scalar ? fmt::format("write [{}]", node.scalar)
             : node.kind == Node::Kind::null ? "write [] for an empty list"
                                             : "");
    return std::nullopt;
  }
  std::vector<Text> texts;
  for (const auto& item : node.items)
    if (auto text = read_text(item, problems)) texts.push_back(std::move(*text));
  return texts;
}

std::optional<std::int64_t> read_integer(const Node& node, ros::Problems& problems) {
  if (node.kind == Node::Kind::scalar && !node.quoted)
    if (const auto value = parse_number<std::int64_t>(node.scalar, 10)) return value;
  expected("a whole number", node, problems);
  return std::nullopt;
}

std::optional<bool> read_boolean(const Node& node, ros::Problems& problems) {
  if (node.kind == Node::Kind::scalar && !node.quoted) {
    if (node.scalar == "true") return true;
    if (node.scalar == "false") return false;
  }
  expected("true or false", node, problems);
  return std::nullopt;
}

std::optional<unsigned> read_mode(const Node& node, ros::Problems& problems) {
  if (node.kind == Node::Kind::scalar) {
    std::string_view digits = node.scalar;
    const bool octal = digits.size() > 1 && digits[0] == '0';
    if (digits.starts_with("0o")) digits.remove_prefix(2);
    const auto value = parse_number<unsigned>(digits, 8);
    if (octal && value && *value <= 07777) return value;
    if (value && *value <= 07777) {
      // YAML readers disagree about a bare 750; the zero says what is meant.
      expected("a file mode", node, problems, fmt::format("write 0{}", digits));
      return std::nullopt;
    }
  }
  expected("a file mode (octal, as 0750)", node, problems);
  return std::nullopt;
}

std::optional<std::uint64_t> read_bytes(const Node& node, ros::Problems& problems) {
  if (node.kind == Node::Kind::scalar) {
    const std::string_view text = node.scalar;
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_number<std::uint64_t>(text.substr(0, digits), 10);
    const auto name = ros::trim(text.substr(digits));
    const auto* unit = std::ranges::find(kUnits, name, &Unit::name);
    if (number && unit != std::end(kUnits) &&
        *number <= std::numeric_limits<std::uint64_t>::max() >> unit->shift)
      return *number << unit->shift;
    if (number && !name.empty() && name[0] != 'B' && unit == std::end(kUnits)) {
      const char first = name[0] == 'k' ? 'K' : static_cast<char>(name[0] & ~0x20);
      for (const auto& known : kUnits)
        if (!known.name.empty() && known.name[0] == first) {
          expected("a size", node, problems, fmt::format("write {}{}", *number, known.name));
          return std::nullopt;
        }
    }
  }
  expected("a size (as 512MiB or 8GiB)", node, problems);
  return std::nullopt;
}

MapReader::MapReader(const Node& node, std::string what, ros::Problems& problems)
    : node_(node), what_(std::move(what)), problems_(problems) {
  if (node.kind != Node::Kind::map) expected("a map", node, problems);
}

const Node* MapReader::find(const std::string& key) {
  asked_.push_back(key);
  for (const auto& member : node_.members)
    if (member.key.value == key) return &member.value;
  return nullptr;
}

const Node* MapReader::require(const std::string& key) {
  const auto* found = find(key);
  // A node of another kind has been reported once; its keys are not missed one by one.
  if (found == nullptr && node_.kind == Node::Kind::map)
    problems_.add(problem(node_.at, fmt::format("{} has no '{}'", what_, key)));
  return found;
}

Text MapReader::text(const std::string& key) {
  const auto* found = find(key);
  return found == nullptr ? Text{} : read_text(*found, problems_).value_or(Text{});
}

Text MapReader::required_text(const std::string& key) {
  const auto* found = require(key);
  return found == nullptr ? Text{} : read_text(*found, problems_).value_or(Text{});
}

std::vector<Text> MapReader::texts(const std::string& key) {
  const auto* found = find(key);
  return found == nullptr ? std::vector<Text>{}
                          : read_texts(*found, problems_).value_or(std::vector<Text>{});
}

std::vector<Text> MapReader::required_texts(const std::string& key) {
  const auto* found = require(key);
  return found == nullptr ? std::vector<Text>{}
                          : read_texts(*found, problems_).value_or(std::vector<Text>{});
}

std::optional<std::int64_t> MapReader::integer(const std::string& key, std::int64_t low,
                                               std::int64_t high) {
  const auto* found = find(key);
  if (found == nullptr) return std::nullopt;
  const auto value = read_integer(*found, problems_);
  if (value && (*value < low || *value > high)) {
    problems_.add(problem(found->at,
                          fmt::format("'{}' is {}, but must be {} to {}", key, *value, low, high)));
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> MapReader::required_integer(const std::string& key, std::int64_t low,
                                                        std::int64_t high) {
  require(key);
  return integer(key, low, high);
}

bool MapReader::boolean(const std::string& key, bool otherwise) {
  const auto* found = find(key);
  return found == nullptr ? otherwise : read_boolean(*found, problems_).value_or(otherwise);
}

void MapReader::finish() {
  for (const auto& member : node_.members) {
    if (std::ranges::find(asked_, member.key.value) != asked_.end()) continue;
    problems_.add(problem(member.key.at,
                          fmt::format("unknown key '{}' in {}", member.key.value, what_),
                          suggestion(member.key.value, asked_)));
  }
}

}  // namespace rosbuild
