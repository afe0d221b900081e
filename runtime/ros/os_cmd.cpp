// `ros os`: which versions there are, and which one runs.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "runtime/base/disk_layout.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/ros/catalogue.h"
#include "runtime/ros/chosen.h"
#include "runtime/ros/containers.h"
#include "runtime/ros/datasource.h"
#include "runtime/ros/kexec.h"
#include "runtime/ros/options.h"
#include "runtime/ros/release_signature.h"
#include "runtime/ros/timeline.h"
#include "runtime/ros/upgrade.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

// What init wrote (runtime/init/state.h).
constexpr const char* kStateReport = "/run/ros/state";

constexpr const char* kHelp =
    "usage: ros os version                the version that runs\n"
    "       ros os status                 the same with boot, memory, state, services, upgrades\n"
    "       ros os timeline [--json | --svg]  where the time of this boot went\n"
    "       ros os list [-i RELEASES]     versions on this disk and those that can be had\n"
    "       ros os upgrade [VERSION] [-i RELEASES] [-s] [-f] [-a WORDS] [--platform NAME]\n"
    "               [--no-reboot | --kexec]\n"
    "           -i, --image RELEASES  a folder, URL or OCI image with an `index` (default:\n"
    "                                 rancher.upgrade.url); VERSION is the newest there\n"
    "           -s, --stage           fetches and checks it, and leaves it at that\n"
    "           -f, --force           does not ask\n"
    "           --no-reboot           the next start is of the new version\n"
    "           -k, --kexec           starts it without the firmware\n"
    "           -a, --append WORDS    more for the kernel's command line; kept by upgrades\n"
    "           --platform NAME       takes releases of that platform, not of this box's\n"
    "       ros os rollback [-f] [--no-reboot | --kexec]    to the version before; takes\n"
    "                                     back an upgrade that has not started yet\n"
    "       ros os append [WORDS...]      the owner's words for the kernel's command line, or "
    "puts\n"
    "                                     WORDS in their place; --clear: none\n"
    "       ros os gc                     removes all but the current and the previous version,\n"
    "                                     and containers and images of services that are gone\n"
    "\n"
    "A version that does not become ready is left by itself; `ros os status` says why.\n";

void say(const std::string& line) { fmt::print(stderr, "{}\n", line); }

std::string boot_time() {
  const std::string ready{trim(try_read_file(kReady).value_or(""))};
  return ready.empty() ? "not ready yet" : ready + " s after the kernel's start";
}

// Those that follow one another; services start beside them.
std::string main_stages() {
  std::vector<std::string> texts;
  for (const auto& stage : parse_timeline(try_read_file(kTimeline).value_or("")))
    if (!stage.name.starts_with("service "))
      texts.push_back(fmt::format("{} {:.2f}", stage.name, stage.end - stage.begin));
  return join(texts, ", ");
}

// "MemTotal:  1013528 kB", proc(5).
std::uint64_t memory_bytes(const std::string& meminfo, std::string_view name) {
  for (const auto& line : split(meminfo, '\n')) {
    const auto fields = words(line);
    if (fields.size() > 1 && fields[0] == name) return std::stoull(fields[1]) * 1024;
  }
  return 0;
}

void print_services() {
  if (::geteuid() != 0) return fmt::print("services sudo ros os status shows them\n");
  std::vector<std::string> ignored, running, others;
  const auto containers = Docker{kSystemDocker}.list(true);
  for (const auto& service : running_services(load_config(), ignored)) {
    if (!service.system) continue;
    const auto found = std::ranges::find(containers, service.container, &Container::name);
    if (found != containers.end() && found->running()) {
      running.push_back(service.name);
    } else {
      others.push_back(fmt::format("{} ({})", service.name,
                                   found == containers.end() ? "absent" : found->state));
    }
  }
  fmt::print("services {} run: {}\n", running.size(), join(running, " "));
  if (!others.empty()) fmt::print("stopped  {}\n", join(others, ", "));
}

int print_timeline(Arguments arguments) {
  const bool json = take_flag(arguments, "", "--json");
  const bool svg = take_flag(arguments, "", "--svg");
  expect_words(arguments, 0, 0, "ros os timeline");
  if (json && svg) throw Error{"--json or --svg, not both", Error::Kind::usage};
  const auto stages = parse_timeline(try_read_file(kTimeline).value_or(""));
  if (stages.empty()) throw Error{fmt::format("nothing has written {} yet", kTimeline)};
  const std::string text = json  ? timeline_json(stages)
                           : svg ? timeline_svg(stages)
                                 : timeline_text(stages);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}

int print_status() {
  const std::string state{trim(try_read_file(kStateReport).value_or("unknown"))};
  constexpr std::string_view kMemory = "memory ";
  fmt::print("version  {}\n", running_version());
  fmt::print("state    {}\n", state.starts_with(kMemory)
                                  ? "in memory, nothing is kept: " + state.substr(kMemory.size())
                                  : state);
  fmt::print("ready    {}\n", boot_time());
  if (const auto stages = main_stages(); !stages.empty()) fmt::print("boot     {}\n", stages);
  const std::string meminfo = try_read_file("/proc/meminfo").value_or("");
  const auto total = memory_bytes(meminfo, "MemTotal:");
  fmt::print("memory   {} of {} used\n", human_size(total - memory_bytes(meminfo, "MemAvailable:")),
             human_size(total));
  print_services();
  const BootState boot = load_boot_state();
  if (!boot.previous.empty()) fmt::print("previous {}\n", boot.previous);
  if (!boot.trial.empty()) fmt::print("next     {} ({} starts left)\n", boot.trial, boot.tries);
  if (!boot.failed.empty()) fmt::print("failed   {}: {}\n", boot.failed, boot.reason);
  return 0;
}

// The releases of -i or of the configuration; "" when there are none.
std::string releases_place(Arguments& arguments, const Config& config) {
  const std::string given = take_option(arguments, "-i", "--image");
  return given.empty() ? config.text("rancher.upgrade.url") : given;
}

ReleaseSource source_of(const std::string& place, const Config& config) {
  if (place.empty())
    throw Error{"nobody said where releases are", Error::Kind::usage}.hint(
        "-i FOLDER, URL or IMAGE, or ros config set rancher.upgrade.url URL");
  return ReleaseSource{place, proxies_of(config), signers_of(config)};
}

Release choose(const std::vector<Release>& releases, const std::string& version) {
  if (releases.empty()) throw Error{"the index is empty"};
  if (version.empty()) return releases.back();
  std::vector<std::string> known;
  for (const auto& release : releases) {
    if (release.version == version) return release;
    known.push_back(release.version);
  }
  unknown_word("ros os upgrade", version, known);
}

int list(Arguments arguments) {
  require_root();
  const Config config = load_config();
  const std::string place = releases_place(arguments, config);
  take_flag(arguments, "-u", "--update");  // of the old system: the index is always read anew
  expect_words(arguments, 0, 0, "ros os list");
  const std::string running = running_version();
  std::vector<std::string> here;
  for (const auto& release : releases_on(kMediumFolder)) here.push_back(release.version);
  const auto show = [&](const std::string& version, const std::string& where) {
    fmt::print("{} {}{}\n", version, where, version == running ? ", running" : "");
  };
  const auto show_here = [&] {
    for (const auto& version : here) show(version, "here");
  };
  std::vector<Release> offered;
  try {
    if (!place.empty()) offered = source_of(place, config).releases();
  } catch (...) {
    show_here();
    throw;
  }
  const std::string platform = platform_of(kMediumFolder, running);
  for (const auto& release : offered) {
    const bool other =
        !platform.empty() && !release.platform.empty() && release.platform != platform;
    show(release.version, std::erase(here, release.version) > 0 ? "here"
                          : other ? "available, of platform " + release.platform
                                  : "available");
  }
  if (offered.empty() && here.empty()) show(running, "in memory");
  show_here();
  return 0;
}

enum class Next { reboot, kexec, later };

Next take_next(Arguments& arguments) {
  const bool later = take_flag(arguments, "", "--no-reboot");
  const bool kexec = take_flag(arguments, "-k", "--kexec");
  if (later && kexec)
    throw Error{"--kexec is a way to reboot: not with --no-reboot", Error::Kind::usage};
  return later ? Next::later : kexec ? Next::kexec : Next::reboot;
}

// Loads the version as GRUB would start one that is on trial.
void load_trial(const fs::path& disk, const std::string& version) {
  const auto releases = releases_on(disk);
  const auto release = std::ranges::find(releases, version, &Release::version);
  if (release == releases.end())
    throw Error{"version " + version + " is not on this disk", Error::Kind::usage};
  auto cmdline = whole_cmdline(*release, kept_append(disk, version));
  cmdline.insert(cmdline.begin(), "rancher.trial");
  load_kexec(disk, *release, cmdline);
}

int go(WritableMedium& medium, const std::string& version, Next next) {
  if (next == Next::kexec) load_trial(medium.folder(), version);
  // GRUB counts a start before it; this one passes it by.
  put_on_trial(medium, version, next == Next::kexec ? kTrialStarts - 1 : kTrialStarts);
  say(fmt::format("the next start is of version {}", version));
  return next == Next::later ? 0 : power_verb("reboot", {});
}

int upgrade(Arguments arguments) {
  require_root();
  const fs::path disk = boot_disk();
  const Config config = load_config();
  const std::string place = releases_place(arguments, config);
  const auto added = append_words(take_option(arguments, "-a", "--append"));
  const bool only_stage = take_flag(arguments, "-s", "--stage");
  const bool force = take_flag(arguments, "-f", "--force");
  const std::string platform = take_option(arguments, "", "--platform");
  const Next next = take_next(arguments);
  for (const char* old : {"--upgrade-console", "--debug"}) take_flag(arguments, "", old);  // no-ops
  expect_words(arguments, 0, 1, "ros os upgrade");

  const ReleaseSource source = source_of(place, config);
  const Release release =
      choose(source.releases(), arguments.empty() ? std::string{} : arguments[0]);
  const std::string running = running_version();
  if (release.version == running) {
    if (!arguments.empty())
      throw Error{"version " + running + " is the one that runs here", Error::Kind::usage};
    say(fmt::format("version {} runs here, and {} has no newer one", running, place));
    return 0;
  }
  check_arch(release);
  check_platform(disk, release, running, platform);
  auto append = kept_append(disk, running);
  append.insert(append.end(), added.begin(), added.end());
  std::uint64_t size = 0;
  const auto missing = missing_files(disk, release);
  for (const auto& file : missing) size += file.size;
  say(fmt::format("version {} from {}: {} of {} files to fetch, {}", release.version, place,
                  missing.size(), release.files.size(), human_size(size)));
  if (!force && !confirm(fmt::format("Upgrade from {} to {}{}?", running, release.version,
                                     next != Next::later && !only_stage ? " and reboot" : "")))
    return 1;
  WritableMedium medium{disk};
  stage(medium, release, source, append, running, say);
  say("all files are there and intact");
  return only_stage ? 0 : go(medium, release.version, next);
}

int rollback(Arguments arguments) {
  require_root();
  const fs::path disk = boot_disk();
  const bool force = take_flag(arguments, "-f", "--force");
  const Next next = take_next(arguments);
  expect_words(arguments, 0, 0, "ros os rollback");
  const std::string running = running_version();
  if (WritableMedium medium{disk}; cancel_trial(medium, running)) {
    say(fmt::format("the next start is of version {}, as before", load_boot_state(disk).current));
    return 0;
  }
  const BootState state = load_boot_state(disk);
  const std::string back = state.previous != running ? state.previous : state.current;
  if (back.empty() || back == running) throw Error{"there is no version to go back to"};
  if (!force && !confirm(fmt::format("Go back from {} to {}{}?", running, back,
                                     next != Next::later ? " and reboot" : "")))
    return 1;
  WritableMedium medium{disk};
  return go(medium, back, next);
}

// Shows the owner's words for the kernel, or puts others in their place.
int append(Arguments arguments) {
  require_root();
  const bool clear = take_flag(arguments, "", "--clear");
  expect_words(arguments, 0, clear ? 0 : arguments.size(), "ros os append");
  const fs::path disk = disk_to_append();
  const std::string running = running_version();
  if (!clear && arguments.empty()) {
    auto words = kept_append(disk, running);
    for (const auto& own : own_append(disk, running)) std::erase(words, own);
    if (!words.empty()) fmt::print("{}\n", join(words, " "));
    return 0;
  }
  const auto words = append_words(join(arguments, " "));
  WritableMedium medium{disk};
  set_append(medium, running, words);
  const auto kept = kept_append(disk, running);
  say("from the next start on: " + (kept.empty() ? "nothing is added" : join(kept, " ")));
  return 0;
}

// Containers and images of services that are gone, and, on a disk, versions that nothing needs.
int collect_garbage(const Arguments& arguments) {
  require_root();
  expect_words(arguments, 0, 0, "ros os gc");
  Config config = load_config();
  std::vector<std::string> problems;
  for (const auto& name : include_services(config, Reach::here, problems))
    problems.push_back(name + " of rancher.services_include has not been fetched yet");
  const auto services = services_of(config, problems);
  // A service whose definition cannot be read must not lose its container.
  Problems unclear;
  for (const auto& problem : problems) unclear.add(Error{problem, Error::Kind::input});
  unclear.throw_if_any();
  for (const auto& what : collect_containers(Docker{kSystemDocker}, services))
    fmt::print("removed {}\n", what);
  if (!has_boot_disk()) return 0;
  WritableMedium medium{boot_disk()};
  const BootState state = load_boot_state(medium.folder());
  for (const auto& path :
       collect(medium, {running_version(), state.current, state.previous, state.trial}))
    fmt::print("removed {}\n", path);
  return 0;
}

}  // namespace

int os_verb(const Arguments& arguments) {
  if (arguments.empty() || std::ranges::count(arguments, "--help") > 0 ||
      std::ranges::count(arguments, "-h") > 0) {
    std::fputs(kHelp, stdout);
    return arguments.empty() ? 2 : 0;
  }
  const Arguments rest{arguments.begin() + 1, arguments.end()};
  const std::string& verb = arguments[0];
  if (verb == "version") {
    fmt::print("{}\n", running_version());
    return 0;
  }
  if (verb == "status") return print_status();
  if (verb == "timeline") return print_timeline(rest);
  if (verb == "list") return list(rest);
  if (verb == "upgrade") return upgrade(rest);
  if (verb == "rollback") return rollback(rest);
  if (verb == "append") return append(rest);
  if (verb == "gc") return collect_garbage(rest);
  unknown_word("ros os", verb,
               {"version", "status", "timeline", "list", "upgrade", "rollback", "append", "gc"});
}

}  // namespace ros
