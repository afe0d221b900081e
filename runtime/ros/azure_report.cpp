#include "runtime/ros/azure_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "runtime/base/error.h"
#include "runtime/ros/fetch.h"
#include "runtime/ros/xml.h"

namespace ros {
namespace {

// Names and numbers that go back to the server in the same form.
bool is_plain(const std::string& text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
}

std::string ask(const std::string& url, const Fetch& how, const Patience& patience) {
  auto fetched = fetch(url, how, patience);
  if (!fetched.reached) throw Error{fetched.reason, Error::Kind::network};
  if (fetched.status / 100 != 2)
    throw Error{fmt::format("the server answered {}", fetched.status), Error::Kind::network};
  return std::move(fetched.body);
}

}  // namespace

void report_ready_to_azure(const Patience& patience, const std::string& server) {
  Fetch how;
  how.headers = {{"x-ms-version", "2012-11-30"}};
  std::map<std::string, std::string, std::less<>> goal{
      {"Incarnation", ""}, {"ContainerId", ""}, {"InstanceId", ""}};
  for_each_element(ask(server + "/machine/?comp=goalstate", how, patience),
                   [&](const XmlElement& element) {
                     const auto wanted = goal.find(element.name);
                     // The first counts: a goal state names one machine.
                     if (wanted != goal.end() && wanted->second.empty())
                       wanted->second = element.text;
                   });
  for (const auto& [name, text] : goal) {
    if (!is_plain(text)) throw Error{fmt::format("the goal state has no {}", name)};
  }
  how.method = "POST";
  how.headers.emplace_back("Content-Type", "text/xml; charset=utf-8");
  how.body = fmt::format(
      "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
      "<Health><GoalStateIncarnation>{}</GoalStateIncarnation><Container>"
      "<ContainerId>{}</ContainerId><RoleInstanceList><Role><InstanceId>{}</InstanceId>"
      "<Health><State>Ready</State></Health></Role></RoleInstanceList></Container></Health>\n",
      goal["Incarnation"], goal["ContainerId"], goal["InstanceId"]);
  ask(server + "/machine/?comp=health", how, patience);
}

}  // namespace ros
