// The story of a build: load, check, plan, run, publish.
#include "builder/build.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <list>
#include <set>
#include <thread>

#include "builder/check.h"
#include "builder/fetch/apt.h"
#include "builder/plan/plan.h"
#include "builder/publish/release.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;

// Turns SIGINT and SIGTERM into a stop request. Signals are blocked in every
// thread (of a child they are unblocked before exec) and waited for here.
class StopOnSignal {
 public:
  StopOnSignal() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGUSR1);  // our own: ends the waiting thread
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    waiter_ = std::thread([this] {
      int signal = 0;
      while (sigwait(&signals_, &signal) == 0 && signal != SIGUSR1) stop_.request_stop();
    });
  }
  ~StopOnSignal() {
    pthread_kill(waiter_.native_handle(), SIGUSR1);
    waiter_.join();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  std::stop_token token() const { return stop_.get_token(); }

 private:
  sigset_t signals_{};
  sigset_t before_{};
  std::stop_source stop_;
  std::thread waiter_;
};

fs::path lock_path(const fs::path& root, const std::string& arch) {
  return (root / "recipes/lock" / (arch + ".lock")).lexically_normal();
}

Lock load_lock(const fs::path& root, const std::string& arch) {
  const fs::path path = lock_path(root, arch);
  const auto text = ros::try_read_file(path);
  if (!text)
    throw Error{"there is no lock for architecture " + arch, Error::Kind::input}
        .at({path.string()})
        .hint("run `rosbuild lock --arch " + arch + "`");
  Lock lock = parse_lock(*text, path.string());
  if (arch == kToolsArch) return lock;
  // The same tools for every architecture; its loaders lie beside them.
  auto& tools = lock.sections["tools"] = load_lock(root, kToolsArch).sections["tools"];
  const auto loaders = std::move(lock.sections["loaders"]);
  tools.insert(tools.end(), loaders.begin(), loaders.end());
  lock.sections.erase("loaders");
  return lock;
}

// The programs that go into the runtime layer: beside rosbuild in a build
// folder, or in libexec/rosbuild of an installation. Those of another architecture are in a
// folder of its name.
Programs find_programs(const std::string& arch) {
  const fs::path self = fs::read_symlink("/proc/self/exe").parent_path();
  const fs::path below = arch == kToolsArch ? fs::path{} : fs::path{arch};
  for (const fs::path& folder : {self, self / "../libexec/rosbuild"})
    if (const auto place = folder / below; fs::exists(place / "init") && fs::exists(place / "ros"))
      return {place / "init", place / "ros"};
  throw Error{fmt::format("the programs init and ros for {} are neither in {} nor in {}", arch,
                          (self / below).string(),
                          (self / "../libexec/rosbuild" / below).lexically_normal().string())}
      .hint(below.empty() ? "build all targets, or install with `cmake --install`"
                          : "`make arm64` builds them");
}

void print_artifacts(const std::vector<Published>& artifacts) {
  std::size_t width = 0;
  for (const auto& artifact : artifacts) width = std::max(width, artifact.path.size());
  for (const auto& artifact : artifacts)
    fmt::print("{:{}}  {:>9}  {}\n", artifact.path.string(), width, ros::human_size(artifact.size),
               artifact.sha256);
}

}  // namespace

int update_lock(const Request& request) {
  const Recipes recipes = load_all(request.recipes);
  std::set<std::string> architectures{kToolsArch};
  for (const auto& [name, platform] : recipes.platforms) architectures.insert(platform.arch.value);
  if (!request.lock_arch.empty()) {
    if (!architectures.contains(request.lock_arch))
      throw Error{"no platform has architecture " + request.lock_arch, Error::Kind::usage};
    architectures = {request.lock_arch};
  }

  const StopOnSignal signals;
  std::map<std::string, Lock> locks;
  for (const auto& arch : architectures) {
    const fs::path path = lock_path(recipes.root, arch);
    const auto sections = lock_sections(recipes, arch);
    const auto before = ros::try_read_file(path);
    if (before && !request.update) {
      const Lock old = parse_lock(*before, path.string());
      if (std::ranges::all_of(sections, [&](const auto& section) { return fits(old, section); })) {
        fmt::print(stderr, "{} fits the recipes; `rosbuild lock --update` takes newer versions\n",
                   path.string());
        continue;
      }
    }
    const ros::TempDir scratch;
    locks[arch] = resolve({.arch = arch,
                           .suites = recipes.distribution.suites,
                           .components = recipes.distribution.components,
                           .sections = sections,
                           .mirror = find_mirror(request.mirror),
                           .scratch = scratch.path()},
                          signals.token());
  }
  // All of them or none: they are to be of one state of the archive.
  for (const auto& [arch, lock] : locks) {
    const fs::path path = lock_path(recipes.root, arch);
    const std::string text = write_lock(lock, arch);
    const bool same = ros::try_read_file(path) == text;
    if (!same) ros::write_file_atomically(path, text);
    fmt::print("{}: {} packages{}\n", path.string(), lock.names().size(),
               same ? ", unchanged" : "");
  }
  return 0;
}

int build_images(const Request& request) {
  // Load and check: everything that is wrong with the input is said here, before any work.
  ros::Problems problems;
  const Recipes recipes = load_all(request.recipes, problems);
  if (problems.empty()) {
    check_artifacts(recipes, problems);
    check_configuration(recipes, problems);
  }
  problems.throw_if_any();
  const auto platforms = select_platforms(recipes, request.platforms, request.platform_arch);
  check_only(platforms, request.only, problems);
  std::map<std::string, Lock> locks;
  std::map<std::string, std::vector<const Platform*>> by_arch;
  for (const auto* platform : platforms) by_arch[platform->arch.value].push_back(platform);
  for (const auto& [arch, same] : by_arch) {
    locks[arch] = load_lock(recipes.root, arch);
    check_locked(recipes, same, locks[arch], lock_path(recipes.root, arch).string(), problems);
  }
  problems.throw_if_any();

  // Plan and run: one graph, so that what one architecture leaves idle works for the other.
  const StopOnSignal signals;
  const auto reporter = make_reporter();
  const auto start = std::chrono::steady_clock::now();
  Cache cache;
  std::map<std::string, Programs> programs;
  for (const auto& [arch, lock] : locks) programs[arch] = find_programs(arch);
  Graph graph;
  const Packages packages{cache, graph, locks, request.mirror, *reporter};
  std::list<Plan> plans;
  for (const auto& [arch, same] : by_arch) {
    Plan& plan = plans.emplace_back(recipes, cache, graph, packages, arch, locks[arch], request,
                                    programs[arch]);
    for (const auto* platform : same) plan.add(*platform);
  }
  run_graph(graph, request.jobs, *reporter, signals.token());
  std::vector<Published> published;
  // One at a time: lists are read, changed and written.
  const ros::Fd alone = cache.lock("publish", signals.token());
  for (const auto& plan : plans) {
    const auto part = plan.publish(signals.token());
    published.insert(published.end(), part.begin(), part.end());
  }
  if (const auto freed = cache.collect(request.cache_limit); freed > 0)
    reporter->note(fmt::format("cache: {} not used for longest were removed from {}",
                               ros::human_size(freed), cache.root().string()));
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  reporter->note(fmt::format("done in {:.1f} s", spent.count()));
  print_artifacts(published);
  return 0;
}

}  // namespace rosbuild
