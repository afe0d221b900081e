#include "runtime/ros/compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/config/schema.h"

namespace ros {
namespace {

constexpr std::size_t kLongestName = 128;

Error mistake(const std::string& message, const Value& where) {
  return Error{message, Error::Kind::input}.at(where.position());
}

// Of versions 2 and 3, which have the services below a key of that name.
Value below_services(const Value& tree, std::vector<Error>& problems) {
  for (const auto& [name, value] : tree.members()) {
    if (name == "services" || name == "version" || name == "name" || name.starts_with("x-"))
      continue;
    problems.push_back(mistake(fmt::format("unknown key {} beside services", name), value));
  }
  return *tree.find("services");
}

}  // namespace

bool is_service_name(std::string_view name) {
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return !name.empty() && name.size() <= kLongestName && plain(name[0]) &&
         std::ranges::all_of(name,
                             [&](char c) { return plain(c) || c == '_' || c == '.' || c == '-'; });
}

Build read_build(const Value& value, std::vector<Error>& problems) {
  Build build;
  if (value.is_scalar()) {
    build.context = value.text();
    return build;
  }
  for (const auto& [name, member] : value.members()) {
    if (name == "context" && member.is_scalar()) {
      build.context = member.text();
    } else if (name == "dockerfile" && member.is_scalar()) {
      build.dockerfile = member.text();
    } else if (name == "args" && !member.is_scalar()) {
      build.arguments = as_pairs(member);
    } else {
      problems.push_back(mistake(
          fmt::format("build takes context, dockerfile and args, not this {}", name), member));
    }
  }
  if (!build.wanted()) problems.push_back(mistake("build names no folder", value));
  return build;
}

Value parse_compose(std::string_view text, const std::string& file) {
  const Value tree = parse_yaml(replace_all(std::string{text}, "\r\n", "\n"), file);
  if (!tree.is_map() || tree.members().empty())
    throw mistake("a map of services is expected", tree);
  std::vector<Error> errors;
  Value services = tree.find("services") ? below_services(tree, errors) : tree;
  if (!services.is_map() || services.members().empty())
    throw mistake("a map of services is expected", services);
  for (const auto& [name, definition] : services.members()) {
    if (!is_service_name(name))
      errors.push_back(
          mistake(fmt::format("{} is no name for a service", quote(name)), definition));
    if (!definition.is_map())
      errors.push_back(mistake(fmt::format("service {} must be a map", name), definition));
    if (const Value* build = definition.find("build")) read_build(*build, errors);
  }
  Value copy = services;
  validate(copy, "rancher.services", errors);
  Problems problems;
  for (const auto& error : errors) problems.add(error);
  problems.throw_if_any();
  return services;
}

}  // namespace ros
