// The table of configuration keys: name, type, what it means.
//
// One table (keys.cpp) drives validation, `ros config get|set`, and later the
// schema export and the documentation. A path is dotted; `*` stands for any
// name, `[]` for an element of a list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/config/value.h"

namespace ros {

enum class KeyType {
  text,      // one scalar
  boolean,   // true or false
  integer,   // a whole number
  texts,     // a list of scalars; one scalar stands for a list of one
  text_map,  // names to scalars
  bool_map,  // names to true or false
  pairs,     // names to scalars, or a list of "name=value" (compose's environment, labels)
  commands,  // a list whose elements are a text or a list of texts
  lists,     // a list of lists of texts
  any,       // not looked into
  section,   // a map whose members are in the table
  sections,  // a list of such maps
  named      // the same with names alone too, or a map of names to such maps
};

struct Key {
  std::string_view path;
  KeyType type;
  std::string_view description;
};

const std::vector<Key>& keys();

std::string_view describe(KeyType type);  // "a list of texts"

// The entry for a dotted path such as rancher.network.interfaces.eth0.dhcp, or
// nothing. A path inside a map of free names finds the type of its values.
const Key* find_key(std::string_view path);

// Removes from `tree` what the table does not know or what has the wrong type,
// and adds an Error with its place for each. What is left may be applied. Returns the
// dotted paths of what was removed; "" is all of it.
std::vector<std::string> validate(Value& tree, std::vector<Error>& problems);
// The same for a map that stands at the dotted path `at`; problems name what lies below it.
std::vector<std::string> validate(Value& tree, std::string_view at, std::vector<Error>& problems);

// One document of YAML, validated. Throws Error (kind input) with every problem.
Value parse_config(std::string_view text, const std::string& file);

// Throws Error with a suggestion when `path` is not in the table.
void require_key(std::string_view path);

}  // namespace ros
