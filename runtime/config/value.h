// A configuration tree that keeps the place each node came from.
//
// Scalars keep their text and whether they were written plain, so that `0644`
// and "yes" survive a round trip; what a scalar means is decided by the schema.
// The place (Position) doubles as provenance: its file says which layer won.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/error.h"

namespace ros {

class Value {
 public:
  enum class Kind { null, scalar, list, map };
  using Member = std::pair<std::string, Value>;

  Value() = default;
  static Value scalar(std::string text, bool plain = true);
  static Value boolean(bool value) { return scalar(value ? "true" : "false"); }
  static Value list(std::vector<Value> items = {});
  static Value texts(const std::vector<std::string>& items);
  static Value map();

  Kind kind() const noexcept { return kind_; }
  bool is_null() const noexcept { return kind_ == Kind::null; }
  bool is_scalar() const noexcept { return kind_ == Kind::scalar; }
  bool is_list() const noexcept { return kind_ == Kind::list; }
  bool is_map() const noexcept { return kind_ == Kind::map; }

  const std::string& text() const noexcept { return text_; }  // empty unless scalar
  bool plain() const noexcept { return plain_; }
  const std::vector<Value>& items() const noexcept { return items_; }
  std::vector<Value>& items() noexcept { return items_; }
  const std::vector<Member>& members() const noexcept { return members_; }
  std::vector<Member>& members() noexcept { return members_; }

  // The member `key` of a map, or nothing.
  const Value* find(std::string_view key) const noexcept;
  // The node at a dotted path; "" is the node itself.
  const Value* find_path(std::string_view path) const;
  // Sets a member, replacing an older one of that name. Makes a null a map.
  Value& set(std::string_view key, Value value);
  // Sets the node at a dotted path; parents that are no maps become maps.
  void set_path(std::string_view path, Value value);
  bool erase_path(std::string_view path);

  std::optional<bool> as_bool() const;         // true/false, yes/no, on/off
  std::optional<std::int64_t> as_int() const;  // decimal, 0x…, 0o…
  // A scalar as one text, a list of scalars as its texts, others nothing.
  std::vector<std::string> as_texts() const;

  const Position& position() const noexcept { return position_; }
  void set_position(Position position) { position_ = std::move(position); }
  void set_origin(const std::string& file);  // for the node and all below it

 private:
  Kind kind_ = Kind::null;
  bool plain_ = true;
  std::string text_;
  std::vector<Value> items_;
  std::vector<Member> members_;
  Position position_;
};

// Maps are merged deep; lists, scalars and nulls of `over` replace what `base` has, but no null
// replaces a map.
void merge(Value& base, const Value& over);

// One YAML document. Throws Error (kind input) with the place of a syntax error,
// of a key given twice, of what is no UTF-8 text, of an alias of its own parent, or
// when the document, its aliases followed, is unreasonably large or deep.
Value parse_yaml(std::string_view text, const std::string& file);

// Block-style YAML, newline at the end.
std::string to_yaml(const Value& value);

// JSON (RFC 8259) as a tree without positions; nothing when it is no JSON, cut short, or nested
// more than 32 deep. Of members with one name the first counts.
std::optional<Value> parse_json(std::string_view text);

// JSON over several lines, newline at the end. A plain true, false, null or number is that, any
// other scalar a string, so that parse_json() gives the same texts.
std::string to_json(const Value& value);

}  // namespace ros
