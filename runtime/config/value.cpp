#include "runtime/config/value.h"

#include <algorithm>
#include <charconv>

#include "runtime/base/text.h"

namespace ros {

Value Value::scalar(std::string text, bool plain) {
  Value value;
  value.kind_ = Kind::scalar;
  value.text_ = std::move(text);
  value.plain_ = plain;
  return value;
}

Value Value::list(std::vector<Value> items) {
  Value value;
  value.kind_ = Kind::list;
  value.items_ = std::move(items);
  return value;
}

Value Value::texts(const std::vector<std::string>& items) {
  Value value = list();
  for (const auto& item : items) value.items_.push_back(scalar(item, false));
  return value;
}

Value Value::map() {
  Value value;
  value.kind_ = Kind::map;
  return value;
}

const Value* Value::find(std::string_view key) const noexcept {
  for (const auto& [name, value] : members_) {
    if (name == key) return &value;
  }
  return nullptr;
}

const Value* Value::find_path(std::string_view path) const {
  if (path.empty()) return this;
  const Value* node = this;
  for (const auto& key : split(path, '.')) {
    node = node->find(key);
    if (!node) return nullptr;
  }
  return node;
}

Value& Value::set(std::string_view key, Value value) {
  if (kind_ != Kind::map) {
    Position position = position_;
    *this = map();
    position_ = std::move(position);
  }
  for (auto& [name, old] : members_) {
    if (name == key) return old = std::move(value);
  }
  return members_.emplace_back(std::string{key}, std::move(value)).second;
}

void Value::set_path(std::string_view path, Value value) {
  const auto dot = path.find('.');
  if (dot == std::string_view::npos) {
    set(path, std::move(value));
    return;
  }
  const auto key = path.substr(0, dot);
  Value* child = const_cast<Value*>(find(key));
  if (!child) child = &set(key, map());
  child->set_path(path.substr(dot + 1), std::move(value));
}

bool Value::erase_path(std::string_view path) {
  const auto dot = path.rfind('.');
  auto* parent =
      const_cast<Value*>(dot == std::string_view::npos ? this : find_path(path.substr(0, dot)));
  if (!parent) return false;
  const auto key = dot == std::string_view::npos ? path : path.substr(dot + 1);
  return std::erase_if(parent->members_, [&](const Member& m) { return m.first == key; }) > 0;
}

std::optional<bool> Value::as_bool() const {
  if (kind_ != Kind::scalar) return std::nullopt;
  std::string word = text_;
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (word == "true" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "no" || word == "off") return false;
  return std::nullopt;
}

std::optional<std::int64_t> Value::as_int() const {
  if (kind_ != Kind::scalar) return std::nullopt;
  std::string_view digits = text_;
  int base = 10;
  if (digits.starts_with("0x")) base = 16;
  if (digits.starts_with("0o")) base = 8;
  if (base != 10) digits.remove_prefix(2);
  std::int64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, code] = std::from_chars(digits.data(), end, number, base);
  if (code != std::errc{} || stop != end) return std::nullopt;
  return number;
}

std::vector<std::string> Value::as_texts() const {
  std::vector<std::string> texts;
  if (kind_ == Kind::scalar) texts.push_back(text_);
  for (const auto& item : items_) {
    if (item.is_scalar()) texts.push_back(item.text_);
  }
  return texts;
}

void Value::set_origin(const std::string& file) {
  position_ = Position{file, 0, 0};
  for (auto& item : items_) item.set_origin(file);
  for (auto& member : members_) member.second.set_origin(file);
}

void merge(Value& base, const Value& over) {
  // "key:" with nothing, or only comments, below it changes no map.
  if (base.is_map() && over.is_null()) return;
  if (!base.is_map() || !over.is_map()) {
    base = over;
    return;
  }
  for (const auto& [key, value] : over.members()) {
    if (auto* old = const_cast<Value*>(base.find(key))) {
      merge(*old, value);
    } else {
      base.set(key, value);
    }
  }
}

}  // namespace ros
