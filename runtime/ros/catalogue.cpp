#include "runtime/ros/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/patience.h"
#include "runtime/base/release.h"
#include "runtime/base/text.h"
#include "runtime/engine/http.h"
#include "runtime/ros/compose.h"
#include "runtime/ros/datasource.h"
#include "runtime/ros/fetch.h"

namespace ros {
namespace {

constexpr std::chrono::seconds kFetchTime{20};

bool is_url(std::string_view place) { return place.find("://") != place.npos; }
bool is_place(std::string_view name) { return name.starts_with('/') || is_url(name); }

std::string definition_place(const std::string& folder, const std::string& name) {
  return fmt::format("{}/{}/{}.yml", folder, name[0], name);
}

Error mistake(const std::string& message, const Value& where) {
  return Error{message, Error::Kind::input}.at(where.position());
}

void add_entry(Index& index, const std::string& name, const std::string& digest,
               const Value& where) {
  if (!is_service_name(name))
    throw mistake(fmt::format("{} is no name of a service", quote(name)), where);
  index[name] = digest;
}

// One that only adds to what a definition says has none of these.
bool is_definition(const Value* service) {
  return service && std::ranges::any_of(std::initializer_list<const char*>{"image", "build",
                                                                           "command", "entrypoint"},
                                        [&](const char* key) { return service->find(key); });
}

}  // namespace

Index parse_index(std::string_view text, const std::string& file) {
  const Value tree = parse_yaml(replace_all(std::string{text}, "\r\n", "\n"), file);
  const Value* services = tree.find("services");
  if (!services) throw mistake("this is no index: it has no services", tree);
  for (const auto& [key, value] : tree.members()) {
    if (key != "services" && key != "consoles" && key != "engines")
      throw mistake("unknown key " + key, value);
  }
  Index index;
  if (services->is_scalar()) throw mistake("services must be a list or a map", *services);
  for (const auto& item : services->items()) add_entry(index, item.text(), "", item);
  for (const auto& [name, digest] : services->members()) {
    if (!digest.is_null() && !is_digest(digest.text()))
      throw mistake(fmt::format("{}: the SHA-256 of its definition is expected", name), digest);
    add_entry(index, name, digest.text(), digest);
  }
  return index;
}

Catalogue::Catalogue(const Config& config, fs::path cache)
    : proxies_(proxies_of(config)), cache_(std::move(cache)) {
  const Value* all = config.find("rancher.repositories");
  if (!all) return;
  for (const auto& [name, repository] : all->members()) {
    const Value* url = repository.find("url");
    std::string place = url ? url->text() : "";
    while (place.size() > 1 && place.ends_with('/')) place.pop_back();
    if (!place.empty()) repositories_.push_back({name, place});
  }
}

// The text of a file, or of a document by URL or what was kept of it. With a digest, what was kept
// has to fit it.
std::string Catalogue::read(const std::string& place, Reach reach,
                            const std::string& digest) const {
  if (!is_url(place)) {
    if (!place.starts_with('/'))
      throw Error{place + " is neither the path of a file nor a URL", Error::Kind::input};
    if (auto text = try_read_file(place)) return *text;
    throw Error{place + ": there is no such file", Error::Kind::input};
  }
  if (!parse_url(place)) throw Error{place + " is no http or https URL", Error::Kind::input};
  const fs::path kept = cache_ / sha256(place);
  if (reach != Reach::anew) {
    auto text = try_read_file(kept);
    if (text && (digest.empty() || sha256(*text) == digest)) return *text;
  }
  if (reach == Reach::here) throw Error{place + " has not been fetched yet", Error::Kind::network};
  try {
    return fetch_text(place, Patience{}.at_most(kFetchTime), proxies_);
  } catch (const Error& error) {
    throw Error{fmt::format("{} cannot be fetched: {}", place, error.what()), error.kind()};
  }
}

std::optional<Index> Catalogue::index_of(const Repository& repository, Reach reach) const {
  const std::string place = repository.place + "/index.yml";
  if (reach == Reach::here && is_url(place) && !fs::exists(cache_ / sha256(place))) return {};
  const std::string text = read(place, reach);
  const Index index = parse_index(text, place);
  if (is_url(place) && reach != Reach::here) write_file_atomically(cache_ / sha256(place), text);
  return index;
}

std::vector<std::string> Catalogue::names(std::vector<std::string>& problems) const {
  std::set<std::string> all;
  for (const auto& repository : repositories_) {
    try {
      const auto index = index_of(repository, Reach::here);
      if (!index) continue;
      for (const auto& [name, digest] : *index) all.insert(name);
    } catch (const Error& error) {
      problems.push_back(fmt::format("catalogue {}: {}", repository.name, error.what()));
    }
  }
  return {all.begin(), all.end()};
}

void Catalogue::update(const std::vector<std::string>& included,
                       std::vector<std::string>& problems) const {
  const auto attempt = [&](const std::string& what, const auto& action) {
    try {
      action();
    } catch (const Error& error) {
      problems.push_back(what + error.what());
    }
  };
  std::set<std::string> left{included.begin(), included.end()};
  for (const auto& repository : repositories_) {
    if (!is_url(repository.place)) continue;
    const std::string whose = fmt::format("catalogue {}: ", repository.name);
    attempt(whose, [&] {
      const auto index = index_of(repository, Reach::anew);
      for (const auto& service : *index)
        if (left.erase(service.first) > 0)
          attempt(whose,
                  [&] { define_in(repository, service.first, service.second, Reach::anew); });
    });
  }
  for (const auto& name : left)
    if (is_url(name)) attempt("", [&] { define(name, Reach::anew); });
}

Value Catalogue::define_in(const Repository& repository, const std::string& name,
                           const std::string& digest, Reach reach) const {
  const std::string place = definition_place(repository.place, name);
  const std::string text = read(place, reach, digest);
  if (!digest.empty() && sha256(text) != digest)
    throw Error{fmt::format("{}: its SHA-256 is not the one in the index of catalogue {}", place,
                            repository.name),
                Error::Kind::input}
        .hint(
            "the catalogue was tampered with or is half updated, or the index that was kept is old "
            "(ros service list -u); nothing was taken from it");
  const Value definitions = parse_compose(text, place);
  if (!definitions.find(name))
    throw mistake(fmt::format("this does not define {}", name), definitions);
  if (is_url(place) && reach != Reach::here) write_file_atomically(cache_ / sha256(place), text);
  return definitions;
}

Value Catalogue::define(const std::string& name, Reach reach) const {
  if (is_place(name)) {
    const std::string text = read(name, reach);
    Value definitions = parse_compose(text, name);
    if (is_url(name) && reach != Reach::here) write_file_atomically(cache_ / sha256(name), text);
    return definitions;
  }
  std::vector<std::string> known;
  std::optional<Error> first;
  bool kept = false;  // an index that may be older than the service
  for (const auto& repository : repositories_) {
    try {
      const auto index = index_of(repository, reach);
      if (!index) continue;
      if (const auto found = index->find(name); found != index->end())
        return define_in(repository, name, found->second, reach);
      for (const auto& [other, digest] : *index) known.push_back(other);
      kept |= is_url(repository.place);
    } catch (const Error& error) {
      if (!first)
        first = Error{fmt::format("catalogue {}: {}", repository.name, error.what()), error.kind()};
    }
  }
  if (first) throw Error{*first};
  if (kept && reach == Reach::missing) return define(name, Reach::anew);
  const bool complete = reach != Reach::here;
  Error unknown{"no catalogue has a service " + name,
                complete ? Error::Kind::input : Error::Kind::network};
  const auto near = nearest(name, known);
  throw std::move(unknown).hint(near ? fmt::format("did you mean {}?", *near)
                                     : "ros service list -u shows what there is");
}

std::vector<std::string> include_services(Config& config, Reach reach,
                                          std::vector<std::string>& problems,
                                          const fs::path& cache) {
  std::vector<std::string> later;
  const Value* include = config.find("rancher.services_include");
  if (!include) return later;
  const Catalogue catalogue{config, cache};
  const auto defined = [&](const std::string& name) {
    const Value* services = config.find("rancher.services");
    return is_definition(services ? services->find(name) : nullptr);
  };
  const auto wanted = include->members();  // a copy: the tree changes below
  for (const auto& [name, on] : wanted) {
    if (!on.as_bool().value_or(false) || defined(name)) continue;
    try {
      Value definitions = catalogue.define(name, reach);
      const Value* own = config.find("rancher.services");
      Value services = own ? *own : Value::map();
      for (auto& [service, definition] : definitions.members()) {
        if (defined(service))
          throw mistake(fmt::format("{} would replace service {} of this box", name, service),
                        definition);
        if (const Value* more = services.find(service)) merge(definition, *more);
        services.set(service, std::move(definition));
      }
      config.tree.set_path("rancher.services", std::move(services));
    } catch (const Error& error) {
      if (error.kind() == Error::Kind::network) {
        later.push_back(name);
        if (reach == Reach::here) continue;
      }
      problems.push_back(fmt::format("rancher.services_include: {}", error.what()));
    }
  }
  return later;
}

}  // namespace ros
