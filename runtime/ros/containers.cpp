#include "runtime/ros/containers.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "runtime/base/digest.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/base/text.h"
#include "runtime/ros/announce.h"
#include "runtime/ros/process.h"
#include "runtime/ros/settings.h"

namespace ros {
namespace {

constexpr const char* kLocks = "/run/ros/locks";

// The first that shares a shim starts before the others: of two that start at once, each binding
// the shim's socket, one may find the other's not listening yet, take it for a leftover and make a
// second shim (containerd: runtime/v2/runc/manager).
void start(const Docker& docker, const Service& service, const std::string& id) {
  static std::once_flag shim;
  bool started = false;
  const auto start_now = [&] {
    docker.start(id);
    started = true;
  };
  if (service.spec.annotations.contains(kShimGroup)) std::call_once(shim, start_now);
  if (!started) docker.start(id);
}

// Through the engine, whatever the image is: a tar with nothing but the files, so that folders
// that are there keep their owners and modes.
void put_files(const Docker& docker, const std::string& id, const Service& service) {
  const TempDir staging{"/run/ros"};
  Config config;
  config.tree.set("write_files", service.files);
  std::vector<std::string> problems;
  write_files(config, service.name, problems, staging.path());
  std::vector<std::string> argv{"tar", "-C", staging.path().string(), "-cf", "-"};
  const std::size_t bare = argv.size();
  for (fs::recursive_directory_iterator it{staging.path()}, end; it != end; ++it) {
    if (fs::is_regular_file(it->path()))
      argv.push_back(fs::relative(it->path(), staging.path()).string());
  }
  try {
    if (argv.size() > bare) docker.put_archive(id, capture(argv));
  } catch (const std::exception& error) {
    problems.push_back(fmt::format("write_files of service {}: {}", service.name, error.what()));
  }
  for (const auto& problem : problems) announce_error(problem);
}

std::string hash_of(const Docker& docker, const Service& service) {
  return sha256(create_body(service.spec) + docker.image_id(service.spec.image));
}

std::optional<Container> container_of(const Docker& docker, const Service& service) {
  auto containers = docker.list(true);
  const auto found = std::ranges::find(containers, service.container, &Container::name);
  return found == containers.end() ? std::nullopt : std::optional{std::move(*found)};
}

bool has_hash(const Container& container, const std::string& hash) {
  const auto found = container.labels.find(kHashLabel);
  return found != container.labels.end() && found->second == hash;
}

// Docker's list may lag behind what has just been stopped.
bool runs(const Docker& docker, const Container& container) {
  if (!container.running()) return false;
  const auto state = docker.inspect(container.id);
  return state && state->running;
}

std::string make_or_keep(const Docker& docker, Service service) {
  const std::string hash = hash_of(docker, service);
  service.spec.labels[kHashLabel] = hash;
  service.spec.labels[kServiceLabel] = service.name;
  std::string id;
  if (const auto old = container_of(docker, service)) {
    if (runs(docker, *old)) return old->id;
    if (service.persistent || (has_hash(*old, hash) && !service.rebuild)) {
      id = old->id;
    } else {
      docker.remove(old->id);
    }
  }
  if (id.empty()) id = docker.create(service.container, service.spec);
  if (!service.files.items().empty()) put_files(docker, id, service);
  return id;
}

// `what` says what did not come to be.
void run_docker(const Service& service, const std::vector<std::string>& arguments,
                const ImageOptions& options, const std::string& what) {
  // buildx, the other builder, is a program of its own that nobody else here needs.
  std::vector<std::string> argv{"env", "DOCKER_BUILDKIT=0", "docker", "-H",
                                std::string{"unix://"} + service.engine()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  if (!options.quiet) {
    if (const int status = run(argv); status != 0)
      throw Error{fmt::format("{} (docker ended with status {})", what, status)};
    return;
  }
  const auto [status, output] = try_program(argv);
  if (status != 0) throw Error{fmt::format("{}: {}", what, trim(output))};
}

}  // namespace

bool has_image(const Docker& docker, const Service& service) {
  return service.spec.image == kSystemImage || !docker.image_id(service.spec.image).empty();
}

std::vector<std::string> system_docker(std::initializer_list<std::string> arguments) {
  std::vector<std::string> argv{"docker", "-H", std::string{"unix://"} + kSystemDocker};
  argv.insert(argv.end(), arguments);
  return argv;
}

void fetch_image(const std::string& reference) {
  SpawnOptions options;
  options.environment = {"HOME=/root"};  // where the credentials of registries are
  if (run(system_docker({"pull", reference}), options) != 0 &&
      Docker{kSystemDocker}.image_id(reference).empty())
    throw Error{fmt::format("the image {} cannot be pulled", reference), Error::Kind::network}.hint(
        "its name is that of an OCI image, such as debian:13; rancher.system_docker says which "
        "registries are known");
}

void build_image(const Service& service, const ImageOptions& options) {
  const Build& build = service.build;
  // The host's network: RUN needs one, and the engine's own may be switched off.
  std::vector<std::string> arguments{"build", "--network", "host", "-t", service.spec.image};
  if (options.quiet) arguments.emplace_back("-q");
  if (options.no_cache) arguments.emplace_back("--no-cache");
  if (options.force_rm) arguments.emplace_back("--force-rm");
  if (options.pull) arguments.emplace_back("--pull");
  if (!build.dockerfile.empty())
    arguments.insert(arguments.end(),
                     {"-f", (fs::path{build.context} / build.dockerfile).string()});
  for (const auto& [name, value] : build.arguments)
    arguments.insert(arguments.end(), {"--build-arg", name + "=" + value});
  arguments.push_back(build.context);
  run_docker(service, arguments, options,
             fmt::format("service {}: image {} cannot be built from {}", service.name,
                         service.spec.image, build.context));
}

void pull_image(const Service& service, const ImageOptions& options) {
  std::vector<std::string> arguments{"pull", service.spec.image};
  if (options.quiet) arguments.insert(arguments.begin() + 1, "-q");
  run_docker(
      service, arguments, options,
      fmt::format("service {}: image {} cannot be pulled", service.name, service.spec.image));
}

void provide_image(const Service& service, const ImageOptions& options) {
  service.build.wanted() ? build_image(service, options) : pull_image(service, options);
}

bool is_outdated(const Docker& docker, const Service& service) {
  const auto container = container_of(docker, service);
  return container && !service.persistent && !has_hash(*container, hash_of(docker, service));
}

std::string ensure_container(const Docker& docker, const Service& service) {
  const FileLock lock{fs::path{kLocks} / service.name};
  return make_or_keep(docker, service);
}

std::string ensure_started(const Docker& docker, const Service& service) {
  const FileLock lock{fs::path{kLocks} / service.name};
  const std::string id = make_or_keep(docker, service);
  if (!service.create_only) start(docker, service, id);
  return id;
}

std::vector<std::string> collect_containers(const Docker& docker,
                                            const std::vector<Service>& services) {
  std::vector<std::string> removed;
  std::set<std::string> images{kSystemImage};
  for (const auto& service : services)
    if (service.system) images.insert({service.spec.image, service.chosen});
  for (const auto& container : docker.list(true, kServiceLabel)) {
    const auto name = container.labels.find(kServiceLabel);
    if (name == container.labels.end() || container.running() ||
        std::ranges::count(services, name->second, &Service::name) > 0)
      continue;
    docker.remove(container.id, true);
    removed.push_back("container " + container.name);
  }
  // Of an image with several names all must be unneeded.
  for (const auto& image : docker.images()) {
    const bool needed = std::ranges::any_of(image.tags, [&](const std::string& tag) {
      return images.contains(tag) ||
             (tag.ends_with(":latest") && images.contains(tag.substr(0, tag.rfind(':'))));
    });
    if (needed) continue;
    std::vector<std::string> names = image.tags;
    if (names.empty()) names.push_back(image.id);
    for (const auto& name : names)
      if (docker.remove_image(name)) removed.push_back("image " + name);
  }
  return removed;
}

}  // namespace ros
