// XML as far as a few small documents of hypervisors need it: elements in their
// order, with attributes and text. No DTD, no validation; entities of a document's
// own are not known, so that none can explode.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ros {

struct XmlElement {
  std::string_view name;  // without the prefix of its namespace
  std::vector<std::pair<std::string_view, std::string>> attributes;  // the same, decoded
  std::string text;                                                  // up to the next tag

  std::string attribute(std::string_view name) const;  // "" when it is not there
};

// Calls `visit` with each start tag. False when the document is wrong or ends in
// the middle of a tag or an element; what came before was visited.
bool for_each_element(std::string_view xml, const std::function<void(const XmlElement&)>& visit);

}  // namespace ros
