// JSON as a tree of the configuration, and back.
#include <nlohmann/json.hpp>

#include "runtime/config/value.h"

namespace ros {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxDepth = 32;  // no document nests more than ten deep

// Makes the tree from the parser's events: neither sorts members nor looks for names given twice.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Value take() { return std::move(document_); }

  bool null() override { return add(Value{}); }
  bool boolean(bool value) override { return add(Value::boolean(value)); }
  bool number_integer(number_integer_t value) override { return number(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return number(text); }
  bool string(string_t& text) override { return add(Value::scalar(std::move(text), false)); }
  bool binary(binary_t&) override { return false; }
  bool key(string_t& name) override {
    keys_.back() = std::move(name);
    return true;
  }
  bool start_object(std::size_t) override { return open(Value::map()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Value::list()); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool number(std::string text) { return add(Value::scalar(std::move(text))); }

  bool open(Value value) {
    if (open_.size() == kMaxDepth) return false;
    open_.push_back(std::move(value));
    keys_.emplace_back();
    return true;
  }

  bool close() {
    Value done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    return add(std::move(done));
  }

  bool add(Value value) {
    if (open_.empty()) {
      document_ = std::move(value);
    } else if (Value& parent = open_.back(); parent.is_map()) {
      parent.members().emplace_back(std::move(keys_.back()), std::move(value));
    } else {
      parent.items().push_back(std::move(value));
    }
    return true;
  }

  Value document_{};
  std::vector<Value> open_{};        // lists and maps whose end is not reached
  std::vector<std::string> keys_{};  // of each of them: the member that is read
};

// Of a scalar: itself where JSON has a literal for it, else a string.
Json literal_of(const Value& value) {
  if (value.plain()) {
    Json literal = Json::parse(value.text(), nullptr, false);
    if (literal.is_primitive() && literal.dump() == value.text()) return literal;
  }
  return value.text();
}

Json json_of(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null:
      return nullptr;
    case Value::Kind::scalar:
      return literal_of(value);
    case Value::Kind::list: {
      Json list = Json::array();
      for (const auto& item : value.items()) list.push_back(json_of(item));
      return list;
    }
    case Value::Kind::map: {
      Json map = Json::object();
      for (const auto& [name, member] : value.members()) map[name] = json_of(member);
      return map;
    }
  }
  return nullptr;
}

}  // namespace

std::optional<Value> parse_json(std::string_view text) {
  Builder builder;
  if (!Json::sax_parse(text, &builder)) return std::nullopt;
  return builder.take();
}

std::string to_json(const Value& value) { return json_of(value).dump(1) + "\n"; }

}  // namespace ros
