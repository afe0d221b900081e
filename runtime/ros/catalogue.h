// What services_include stands for: definitions of services that are not part of the configuration.
//
// A catalogue is a folder, in the image, on a disk or on a web server: `index.yml` names its
// services, and service NAME is defined in N/NAME.yml (N: its first letter). rancher.repositories
// lists them; the one in the image needs no network. A name may also be a file or a URL.
//
// What came by the network is kept in /var/lib/rancher/cache and used from there, so a service that
// was enabled starts without its server, and means the same until somebody asks for it anew. A
// definition that an index has another digest of by now counts as never fetched.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/config/load.h"

namespace ros {

inline constexpr const char* kCatalogueCache = "/var/lib/rancher/cache";

// Names of services to the SHA-256 of their definitions, "" where the index does not say it.
using Index = std::map<std::string, std::string>;

// `services` of an index: a list of names, or a map of names to digests; `consoles` and `engines`
// are left aside. Throws Error (kind input) with the place of what is wrong.
Index parse_index(std::string_view text, const std::string& file);

// How far a reader goes for what is not on this box.
enum class Reach {
  here,     // never to the network
  missing,  // for what is not kept yet
  anew      // for everything, and keeps it
};

class Catalogue {
 public:
  explicit Catalogue(const Config& config, fs::path cache = kCatalogueCache);

  // The services of all catalogues, as far as they are here. One that cannot be read is left out
  // and named in `problems`, one that was never fetched silently.
  std::vector<std::string> names(std::vector<std::string>& problems) const;

  // Fetches all indexes anew, and the definitions behind the names, files and URLs of `included`.
  // What cannot be had is named in `problems`, and what was kept of it stays.
  void update(const std::vector<std::string>& included, std::vector<std::string>& problems) const;

  // The definitions (a map) behind a name, a file or a URL. Throws Error: kind network when trying
  // again may help, kind input when not; for an unknown name with a suggestion.
  Value define(const std::string& name, Reach reach) const;

 private:
  struct Repository {
    std::string name, place;  // no slash at the end
  };
  std::string read(const std::string& place, Reach reach, const std::string& digest = {}) const;
  std::optional<Index> index_of(const Repository& repository, Reach reach) const;
  Value define_in(const Repository& repository, const std::string& name, const std::string& digest,
                  Reach reach) const;

  std::vector<Repository> repositories_;
  std::vector<std::string> proxies_;
  fs::path cache_;
};

// Lays the definitions of the names that services_include switches on below rancher.services of
// `config`: what the configuration says of such a service counts more. A definition never replaces
// a service that the configuration has already. What cannot be had is named in `problems`; returned
// are the names for which trying again with the network may help.
std::vector<std::string> include_services(Config& config, Reach reach,
                                          std::vector<std::string>& problems,
                                          const fs::path& cache = kCatalogueCache);

}  // namespace ros
