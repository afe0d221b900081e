#include "runtime/config/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "runtime/base/text.h"

namespace ros {
namespace {

bool is_free_map(KeyType type) {
  return type == KeyType::any || type == KeyType::text_map || type == KeyType::bool_map ||
         type == KeyType::pairs;
}

// The table as a tree, so that a lookup is one step per path component.
struct SchemaNode {
  const Key* key = nullptr;
  std::map<std::string, SchemaNode, std::less<>> children;

  const SchemaNode* child(std::string_view name) const {
    auto found = children.find(name);
    if (found == children.end()) found = children.find("*");
    return found == children.end() ? nullptr : &found->second;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : children) {
      if (entry.first != "*") all.push_back(entry.first);
    }
    return all;
  }
};

const SchemaNode& schema() {
  static const SchemaNode root = [] {
    SchemaNode tree;
    for (const Key& key : keys()) {
      SchemaNode* node = &tree;
      for (const auto& name : split(key.path, '.')) node = &node->children[name];
      node->key = &key;
    }
    return tree;
  }();
  return root;
}

bool all_scalars(const std::vector<Value>& items) {
  return std::all_of(items.begin(), items.end(), [](const Value& v) { return v.is_scalar(); });
}

// What the elements of a list, or the members of a map, of this type must be; empty when they are
// not looked at. One that is not is dropped, and the others stay.
std::string_view element_of(KeyType type) {
  switch (type) {
    case KeyType::texts:
    case KeyType::text_map:
    case KeyType::pairs:
      return "a text";
    case KeyType::bool_map:
      return "true or false";
    case KeyType::commands:
      return "a text or a list of texts";
    case KeyType::lists:
      return "a list of texts";
    case KeyType::sections:
      return "a map";
    default:
      return {};
  }
}

bool element_fits(const Value& element, KeyType type, bool member) {
  switch (type) {
    case KeyType::text_map:
    case KeyType::pairs:
      return element.is_scalar() || (member && element.is_null());
    case KeyType::bool_map:
      return element.as_bool().has_value();
    case KeyType::commands:
      return element.is_scalar() || (element.is_list() && all_scalars(element.items()));
    case KeyType::lists:
      return element.is_list() && std::ranges::none_of(element.items(), [](const Value& text) {
               return text.is_list() || text.is_map();
             });
    case KeyType::sections:
      return element.is_map();
    default:
      return element.is_scalar();
  }
}

bool fits(const Value& value, KeyType type) {
  if (value.is_null()) return true;  // "key:" with nothing after it means "not set"
  switch (type) {
    case KeyType::text:
      return value.is_scalar();
    case KeyType::boolean:
      return value.as_bool().has_value();
    case KeyType::integer:
      return value.as_int().has_value();
    case KeyType::texts:
      return value.is_scalar() || value.is_list();
    case KeyType::pairs:
      return value.is_map() || value.is_list();
    case KeyType::commands:
    case KeyType::lists:
    case KeyType::sections:
      return value.is_list();
    case KeyType::text_map:
    case KeyType::bool_map:
    case KeyType::section:
      return value.is_map();
    case KeyType::named:
    case KeyType::any:
      return true;
  }
  return false;
}

Error unknown(const std::string& path, const std::string& name, const SchemaNode& parent,
              const Value& value) {
  Error error{fmt::format("unknown key {}", path), Error::Kind::input};
  std::string advice;
  if (const auto near = nearest(name, parent.names())) {
    advice = fmt::format("did you mean {}?", *near);
  }
  if (advice.empty()) return std::move(error).at(value.position());
  return std::move(std::move(error).at(value.position())).hint(advice);
}

// What is taken out of a tree, and why.
struct Dropped {
  std::vector<Error>& problems;
  std::vector<std::string> paths{};

  void add(const std::string& path, Error problem) {
    problems.push_back(std::move(problem));
    paths.push_back(path);
  }
};

void check(Value& value, const SchemaNode& node, const std::string& path, Dropped& dropped);

void check_members(Value& map, const SchemaNode& node, const std::string& path, Dropped& dropped) {
  std::vector<Value::Member> good;
  for (auto& [name, value] : map.members()) {
    const std::string child_path = path.empty() ? name : path + "." + name;
    const SchemaNode* child = node.child(name);
    if (!child) {
      dropped.add(child_path, unknown(child_path, name, node, value));
      continue;
    }
    const KeyType type = child->key ? child->key->type : KeyType::section;
    if (!fits(value, type)) {
      dropped.add(
          child_path,
          Error{fmt::format("{} must be {}", child_path, describe(type)), Error::Kind::input}.at(
              value.position()));
      continue;
    }
    const bool said_something = !value.items().empty() || !value.members().empty();
    check(value, *child, child_path, dropped);
    // What has nothing good leaves what it would have replaced.
    if (said_something && !element_of(type).empty() && value.items().empty() &&
        value.members().empty())
      continue;
    good.emplace_back(name, std::move(value));
  }
  map.members() = std::move(good);
}

// A list or map is as good as its elements: the bad ones go, each with its problem.
void keep_good(Value& value, KeyType type, const std::string& path, Dropped& dropped) {
  const auto good = [&](const Value& element, const std::string& element_path, bool member) {
    if (element_fits(element, type, member)) return true;
    dropped.add(
        element_path,
        Error{fmt::format("{} must be {}", element_path, element_of(type)), Error::Kind::input}.at(
            element.position()));
    return false;
  };
  std::vector<Value> items;
  for (std::size_t i = 0; i < value.items().size(); ++i) {
    Value& item = value.items()[i];
    if (good(item, fmt::format("{}[{}]", path, i), false)) items.push_back(std::move(item));
  }
  value.items() = std::move(items);
  std::erase_if(value.members(), [&](const Value::Member& member) {
    return !good(member.second, path + "." + member.first, true);
  });
}

void check(Value& value, const SchemaNode& node, const std::string& path, Dropped& dropped) {
  const KeyType type = node.key ? node.key->type : KeyType::section;
  if (const SchemaNode* element = node.child("[]"); element && type == KeyType::sections) {
    for (std::size_t i = 0; i < value.items().size(); ++i)
      check_members(value.items()[i], *element, fmt::format("{}[{}]", path, i), dropped);
  }
  if (!element_of(type).empty()) keep_good(value, type, path, dropped);
  if (type == KeyType::section && value.is_map()) {
    check_members(value, node, path, dropped);
  } else if (type == KeyType::named) {
    const SchemaNode& element = *node.child("[]");
    for (auto& item : value.items()) check_members(item, element, path + "[]", dropped);
    for (auto& [name, item] : value.members())
      check_members(item, element, path + "." + name, dropped);
  }
}

}  // namespace

std::string_view describe(KeyType type) {
  switch (type) {
    case KeyType::text:
      return "a text";
    case KeyType::boolean:
      return "true or false";
    case KeyType::integer:
      return "a whole number";
    case KeyType::texts:
      return "a list of texts";
    case KeyType::text_map:
      return "a map of names to texts";
    case KeyType::bool_map:
      return "a map of names to true or false";
    case KeyType::pairs:
      return "a map, or a list of name=value";
    case KeyType::commands:
      return "a list of commands (each a text or a list of texts)";
    case KeyType::lists:
      return "a list of lists of texts";
    case KeyType::any:
      return "anything";
    case KeyType::section:
      return "a map";
    case KeyType::sections:
      return "a list of maps";
    case KeyType::named:
      return "a list of names and maps";
  }
  return "";
}

const Key* find_key(std::string_view path) {
  const SchemaNode* node = &schema();
  for (const auto& name : split(path, '.')) {
    if (node->key && is_free_map(node->key->type)) return node->key;
    node = node->child(name);
    if (!node) return nullptr;
  }
  return node->key;
}

Value parse_config(std::string_view text, const std::string& file) {
  Value tree = parse_yaml(text, file);
  Value copy = tree;
  std::vector<Error> errors;
  validate(copy, errors);
  Problems problems;
  for (const auto& error : errors) problems.add(error);
  problems.throw_if_any();
  return tree;
}

void require_key(std::string_view path) {
  const SchemaNode* node = &schema();
  std::string so_far;
  for (const auto& name : split(path, '.')) {
    if (node->key && is_free_map(node->key->type)) return;
    so_far += (so_far.empty() ? "" : ".") + name;
    const SchemaNode* next = node->child(name);
    if (!next || name.empty()) throw unknown(std::string{path}, name, *node, Value{});
    node = next;
  }
}

std::vector<std::string> validate(Value& tree, std::vector<Error>& problems) {
  return validate(tree, "", problems);
}

std::vector<std::string> validate(Value& tree, std::string_view at, std::vector<Error>& problems) {
  Dropped dropped{problems};
  const SchemaNode* node = &schema();
  for (const auto& name : at.empty() ? std::vector<std::string>{} : split(at, '.'))
    node = node->child(name);
  if (!tree.is_map() && !tree.is_null()) {
    dropped.add("", Error{"a map of settings is expected", Error::Kind::input}.at(tree.position()));
    tree = Value::map();
  }
  check_members(tree, *node, "", dropped);
  return std::move(dropped.paths);
}

}  // namespace ros
