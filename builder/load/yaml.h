// Strict reading of YAML documents; hides yaml-cpp.
//
// Nothing here throws for what a file says: every problem is added to a
// ros::Problems with file:line:col and reading goes on, so that the user sees
// all of them at once. A document is a tree of Nodes; a MapReader reads the keys
// of a map and, at finish(), reports those that nobody asked for. Anchors,
// aliases and tags are refused (recipes have no use for them, and they are how a
// small file becomes a huge one), and so are duplicate keys and deep nesting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/load/located.h"
#include "runtime/base/file.h"

namespace rosbuild {

namespace fs = ros::fs;

struct Member;

struct Node {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  ros::Position at;
  std::string scalar;
  bool quoted = false;          // "0750" in quotes is text, never a number or boolean
  std::vector<Node> items;      // list
  std::vector<Member> members;  // map, in file order
};

struct Member {
  Text key;
  Node value;
};

// One document. Nothing when it cannot be read at all; `file` is the name to show.
std::optional<Node> parse_yaml(std::string_view text, const std::string& file,
                               ros::Problems& problems);
std::optional<Node> load_yaml(const fs::path& path, ros::Problems& problems);

// Readings of one node. Each adds a problem ("expected …, found …") and returns
// nothing when the node is something else.
std::optional<Text> read_text(const Node& node, ros::Problems& problems);
std::optional<std::vector<Text>> read_texts(const Node& node, ros::Problems& problems);
std::optional<std::int64_t> read_integer(const Node& node, ros::Problems& problems);
std::optional<bool> read_boolean(const Node& node, ros::Problems& problems);
std::optional<unsigned> read_mode(const Node& node, ros::Problems& problems);        // 0750
std::optional<std::uint64_t> read_bytes(const Node& node, ros::Problems& problems);  // 8GiB

class MapReader {
 public:
  // `what` names the thing for messages ("layer", "artifact"). A node that is no
  // map is a problem and reads as an empty map.
  MapReader(const Node& node, std::string what, ros::Problems& problems);

  const Node* find(const std::string& key);     // nullptr when absent
  const Node* require(const std::string& key);  // absent: a problem as well

  // Absent keys read as an empty value.
  Text text(const std::string& key);
  Text required_text(const std::string& key);
  std::vector<Text> texts(const std::string& key);
  std::vector<Text> required_texts(const std::string& key);
  std::optional<std::int64_t> integer(const std::string& key, std::int64_t low, std::int64_t high);
  std::optional<std::int64_t> required_integer(const std::string& key, std::int64_t low,
                                               std::int64_t high);
  bool boolean(const std::string& key, bool otherwise);

  // Reports every key that was not asked for, with a "did you mean".
  void finish();

  const ros::Position& at() const { return node_.at; }
  ros::Problems& problems() { return problems_; }

 private:
  const Node& node_;
  std::string what_;
  ros::Problems& problems_;
  std::vector<std::string> asked_;
};

// "did you mean 'x'?" or, when nothing is near and they are few, what there is.
std::string suggestion(const std::string& word, const std::vector<std::string>& candidates);

// An input error at a place, ready for Problems::add.
ros::Error problem(const ros::Position& at, const std::string& message,
                   const std::string& hint = {});

}  // namespace rosbuild
