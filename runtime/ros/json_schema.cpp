#include "runtime/ros/json_schema.h"

#include <map>
#include <nlohmann/json.hpp>

#include "runtime/base/text.h"
#include "runtime/config/schema.h"

namespace ros {
namespace {

using Json = nlohmann::ordered_json;

struct Node {
  const Key* key = nullptr;
  std::map<std::string, Node> children;
};

Json list_of(const Json& items) { return {{"type", {"array", "null"}}, {"items", items}}; }
Json map_of(const Json& values) {
  return {{"type", {"object", "null"}}, {"additionalProperties", values}};
}
Json any_of(std::initializer_list<Json> choices) { return {{"anyOf", Json::array_t(choices)}}; }

// YAML that is not quoted turns into other types on its way.
const Json kScalar = {{"type", {"string", "number", "boolean", "null"}}};
const Json kSwitch = {{"enum", {true, false, "yes", "no", "on", "off", nullptr}}};

Json schema_of(const Node& node);

Json members_of(const Node& node) {
  Json map = {{"type", {"object", "null"}}, {"additionalProperties", false}};
  for (const auto& [name, child] : node.children) {
    if (name == "*") {
      map["additionalProperties"] = schema_of(child);
    } else {
      map["properties"][name] = schema_of(child);
    }
  }
  return map;
}

Json schema_of_type(KeyType type, const Node& node) {
  const auto element = [&] { return members_of(node.children.at("[]")); };
  switch (type) {
    case KeyType::text:
      return kScalar;
    case KeyType::boolean:
      return kSwitch;
    case KeyType::integer:
      return {{"type", {"integer", "null"}}};
    case KeyType::texts:
      return any_of({kScalar, list_of(kScalar)});
    case KeyType::text_map:
      return map_of(kScalar);
    case KeyType::bool_map:
      return map_of(kSwitch);
    case KeyType::pairs:
      return any_of({map_of(kScalar), list_of(kScalar)});
    case KeyType::commands:
      return list_of(any_of({kScalar, list_of(kScalar)}));
    case KeyType::lists:
      return list_of(list_of(kScalar));
    case KeyType::any:
      return Json::object();
    case KeyType::section:
      return members_of(node);
    case KeyType::sections:
      return list_of(element());
    case KeyType::named:
      return any_of({list_of(any_of({{{"type", "string"}}, element()})), map_of(element())});
  }
  return Json::object();
}

Json schema_of(const Node& node) {
  if (!node.key) return members_of(node);
  Json schema = {{"description", node.key->description}};
  schema.update(schema_of_type(node.key->type, node));
  return schema;
}

}  // namespace

std::string json_schema() {
  Node root;
  for (const Key& key : keys()) {
    Node* node = &root;
    for (const auto& name : split(key.path, '.')) node = &node->children[name];
    node->key = &key;
  }
  Json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "cloud-config"}};
  schema.update(members_of(root));
  return schema.dump(2) + "\n";
}

}  // namespace ros
