// Each section is simulated (`apt-get --simulate install`) against a dpkg
// status file that holds what the sections below it install; what apt would
// install is the section. Digests come from the Packages files that the same
// apt has just verified.
#include "builder/fetch/apt.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <unordered_map>
#include <unordered_set>

#include "builder/os/process.h"
#include "runtime/base/digest.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;

struct Record {
  LockedPackage package;
  std::string_view stanza;  // of the Packages file's text
};

// Everything that the signed indices offer.
struct Index {
  std::vector<std::string> texts;
  std::unordered_map<std::string, std::vector<Record>> by_name;
  std::unordered_set<std::string> provided;  // virtual names
};

std::string_view field(std::string_view stanza, std::string_view name) {
  for (std::size_t at = 0; at < stanza.size();) {
    const auto end = std::min(stanza.find('\n', at), stanza.size());
    const auto line = stanza.substr(at, end - at);
    if (line.size() > name.size() && line[name.size()] == ':' && line.starts_with(name))
      return ros::trim(line.substr(name.size() + 1));
    at = end + 1;
  }
  return {};
}

void add_stanza(Index& index, std::string_view stanza, const std::string& archive) {
  LockedPackage package{.name = std::string(field(stanza, "Package")),
                        .version = std::string(field(stanza, "Version")),
                        .arch = std::string(field(stanza, "Architecture")),
                        .archive = archive,
                        .path = std::string(field(stanza, "Filename")),
                        .sha256 = std::string(field(stanza, "SHA256"))};
  if (package.name.empty()) return;
  const auto size = field(stanza, "Size");
  std::from_chars(size.data(), size.data() + size.size(), package.size);
  for (const auto& provides : ros::split(field(stanza, "Provides"), ','))
    if (const auto parts = ros::words(provides); !parts.empty()) index.provided.insert(parts[0]);
  index.by_name[package.name].push_back({std::move(package), stanza});
}

// apt in its own root. Of the host's configuration only the proxies count: APT_CONFIG
// is parsed first and turns the other files off.
class Apt {
 public:
  Apt(const LockRequest& request, std::stop_token stop)
      : request_(request), root_(request.scratch), stop_(std::move(stop)) {
    if (!fs::exists(request.keyring))
      throw Error{"Debian's keys are missing: " + request.keyring.string(), Error::Kind::tool}.hint(
          "install the package debian-archive-keyring");
    for (const char* folder : {"state/lists/partial", "cache/archives/partial", "etc", "log"})
      fs::create_directories(root_ / folder);
    write_configuration();
    write_sources();
    set_installed("");
  }

  void update() { run_apt({"update"}, true); }

  // The dpkg status: what counts as installed.
  void set_installed(const std::string& status) { ros::write_file(root_ / "state/status", status); }

  Index read_index() {
    Index index;
    std::vector<std::string> archives;
    const std::string targets = run_apt(
        {"indextargets", "--format", "$(FILENAME)|$(RELEASE)", "Created-By: Packages"}, false);
    for (const auto& line : ros::split(targets, '\n')) {
      const auto fields = ros::split(line, '|');
      if (fields.size() != 2) continue;
      index.texts.push_back(ros::read_file(fields[0]));
      const bool security = fields[1].ends_with("-security");
      archives.push_back(security ? "debian-security" : "debian");
    }
    for (std::size_t i = 0; i < index.texts.size(); ++i) {
      const std::string_view text = index.texts[i];
      for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find("\n\n", at), text.size());
        add_stanza(index, text.substr(at, end - at), archives[i]);
        at = end + 2;
      }
    }
    return index;
  }

  // Names and versions that installing `names` would add.
  std::vector<std::pair<std::string, std::string>> simulate(const std::vector<std::string>& names) {
    std::vector<std::string> arguments{"--simulate", "--quiet=2", "install"};
    arguments.insert(arguments.end(), names.begin(), names.end());
    std::vector<std::pair<std::string, std::string>> added;
    for (const auto& line : ros::split(run_apt(std::move(arguments), false), '\n')) {
      const auto parts = ros::words(line);
      if (parts.size() >= 2 && parts[0] == "Remv")
        throw Error{fmt::format("package {} of a layer below would have to go", parts[1])};
      // Inst NAME [OLD] (VERSION SUITES [ARCH])
      if (parts.size() < 3 || parts[0] != "Inst") continue;
      const auto version = std::ranges::find_if(
          parts, [](const std::string& part) { return part.starts_with('('); });
      if (version != parts.end()) added.emplace_back(parts[1], version->substr(1));
    }
    return added;
  }

 private:
  void write_configuration() {
    const std::string root = root_.string();
    std::string text = fmt::format(
        "Dir::State \"{0}/state\";\nDir::State::status \"{0}/state/status\";\n"
        "Dir::Cache \"{0}/cache\";\nDir::Etc \"{0}/etc\";\nDir::Log \"{0}/log\";\n"
        "Dir::Etc::main \"-\";\nDir::Etc::parts \"-\";\nDir::Etc::sourceparts \"-\";\n"
        "Dir::Etc::preferences \"-\";\nDir::Etc::preferencesparts \"-\";\n"
        "Dir::Etc::sourcelist \"{0}/etc/sources.list\";\nDir::Etc::trusted \"{1}\";\n"
        "Dir::Etc::trustedparts \"-\";\n"
        "APT::Architecture \"{2}\";\nAPT::Architectures {{\"{2}\";}};\n",
        root, request_.keyring.string(), request_.arch);
    text +=
        "APT::Install-Recommends \"false\";\nAPT::Install-Suggests \"false\";\n"
        "APT::Sandbox::User \"\";\nAPT::Update::Error-Mode \"any\";\n"
        "Acquire::Languages \"none\";\nAcquire::GzipIndexes \"false\";\n"
        "Acquire::PDiffs \"false\";\nAcquire::Retries \"3\";\n"
        "Acquire::http::Timeout \"30\";\nAcquire::https::Timeout \"30\";\n" +
        request_.mirror.proxies.text();
    ros::write_file(root_ / "apt.conf", text);
  }

  void write_sources() {
    std::string text;
    for (const auto& suite : request_.suites) {
      const Mirror& mirror = request_.mirror;
      text += fmt::format("deb [signed-by={}] {} {} {}\n", request_.keyring.string(),
                          suite.ends_with("-security") ? mirror.security : mirror.debian, suite,
                          ros::join(request_.components, " "));
    }
    ros::write_file(root_ / "etc/sources.list", text);
  }

  std::string run_apt(std::vector<std::string> arguments, bool network) {
    Command command{.argv = {"apt-get"}, .env = {{"APT_CONFIG", (root_ / "apt.conf").string()}}};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    if (network)
      for (const char* name : {"http_proxy", "https_proxy", "no_proxy"})
        if (const char* value = std::getenv(name)) command.env[name] = value;
    return capture(command, stop_);
  }

  const LockRequest& request_;
  fs::path root_;
  std::stop_token stop_;
};

void check_names(const LockRequest& request, const Index& index) {
  ros::Problems problems;
  std::vector<std::string> known;
  for (const auto& section : request.sections) {
    for (const auto& [name, position] : section.packages) {
      if (index.by_name.contains(name) || index.provided.contains(name)) continue;
      if (known.empty())
        for (const auto& [each, records] : index.by_name) known.push_back(each);
      std::ranges::sort(known);
      Error error{
          fmt::format("unknown package {} (section {} of {})", name, section.name, request.arch)};
      if (const auto near = ros::nearest(name, known))
        error = Error{error}.hint(fmt::format("did you mean {}?", *near));
      error = Error{error}.at(position);
      problems.add(error);
    }
  }
  problems.throw_if_any();
}

const Record& find_record(const Index& index, const std::string& name, const std::string& version) {
  const Record* best = nullptr;
  if (const auto found = index.by_name.find(name); found != index.by_name.end())
    for (const auto& record : found->second)
      // The same version is often in both archives; the plain one keeps it longer.
      if (record.package.version == version && (!best || record.package.archive == "debian"))
        best = &record;
  if (!best) throw Error{fmt::format("the package indices lack {} {}", name, version)};
  if (best->package.sha256.empty() || best->package.size == 0)
    throw Error{fmt::format("the package index has no digest for {} {}", name, version)};
  return *best;
}

bool matches_any(const std::vector<std::string>& globs, const std::string& name) {
  return std::ranges::any_of(globs,
                             [&](const std::string& glob) { return ros::glob_match(glob, name); });
}

std::vector<std::string> names_of(const LockSection& section) {
  std::vector<std::string> names;
  for (const auto& wanted : section.packages) names.push_back(wanted.name);
  return names;
}

}  // namespace

std::string LockSection::digest() const {
  constexpr std::size_t kDigits = 16;
  auto names = names_of(*this);
  std::ranges::sort(names);
  return ros::sha256(
             fmt::format("packages {}\nwithout {}\nonly {}\nbelow {}\nsuites {}\ncomponents {}\n",
                         ros::join(names, " "), ros::join(without, " "), ros::join(only, " "),
                         ros::join(below, " "), ros::join(suites, " "), ros::join(components, " ")))
      .substr(0, kDigits);
}

bool fits(const Lock& lock, const LockSection& section) {
  const auto asked = lock.asked.find(section.name);
  return asked != lock.asked.end() && asked->second == section.digest();
}

Lock resolve(const LockRequest& request, std::stop_token stop) {
  Apt apt{request, std::move(stop)};
  try {
    apt.update();
  } catch (Error& error) {
    error.add_context(fmt::format("while fetching the package indices of {} from {}", request.arch,
                                  request.mirror.description()));
    throw;
  }
  const Index index = apt.read_index();
  check_names(request, index);

  Lock lock;
  std::map<std::string, std::vector<const Record*>> closures;  // before `without` and `only`
  for (const auto& section : request.sections) {
    auto& kept = lock.sections[section.name];
    lock.asked[section.name] = section.digest();
    if (section.packages.empty()) continue;
    std::string status;
    std::unordered_set<std::string> below;
    for (const auto& lower : section.below) {
      for (const Record* record : closures[lower])
        status += fmt::format("{}\nStatus: install ok installed\n\n", record->stanza);
      for (const auto& package : lock.sections[lower]) below.insert(package.name);
    }
    apt.set_installed(status);

    auto& closure = closures[section.name];
    const auto wanted = names_of(section);
    try {
      for (const auto& [name, version] : apt.simulate(wanted))
        closure.push_back(&find_record(index, name, version));
    } catch (Error& error) {
      error.add_context(fmt::format("while resolving the packages of {}", section.name));
      throw;
    }
    // Asked for by name here, dropped by a section below: then it is wanted here.
    for (const auto& lower : section.below)
      for (const Record* record : closures[lower])
        if (std::ranges::find(wanted, record->package.name) != wanted.end() &&
            !below.contains(record->package.name))
          closure.push_back(record);

    for (const Record* record : closure) {
      const std::string& name = record->package.name;
      if (matches_any(section.without, name)) continue;
      if (!section.only.empty() && !matches_any(section.only, name)) continue;
      kept.push_back(record->package);
    }
    std::ranges::sort(kept);
    const auto same = std::ranges::unique(kept);
    kept.erase(same.begin(), same.end());
  }
  return lock;
}

}  // namespace rosbuild
