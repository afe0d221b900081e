// `ros install`: reading the command line, and asking.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "runtime/base/boot_medium.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "runtime/config/load.h"
#include "runtime/config/schema.h"
#include "runtime/ros/datasource.h"
#include "runtime/ros/fetch.h"
#include "runtime/ros/install.h"
#include "runtime/ros/options.h"
#include "runtime/ros/release_signature.h"
#include "runtime/ros/upgrade.h"
#include "runtime/ros/verbs.h"

namespace ros {
namespace {

constexpr std::chrono::seconds kDocumentTime{60};

constexpr const char* kHelp =
    "usage: ros install -d DISK [-c FILE-OR-URL] [-t TYPE] [-a WORDS] [-i RELEASES] [-f]\n"
    "           -d, --device DISK     /dev/sda; everything on it is lost\n"
    "           -c, --cloud-config    a cloud-config for the installed box: without one nobody\n"
    "                                 can log in, unless a datasource brings a key\n"
    "           -t, --install-type    gpt (default): BIOS, UEFI and Secure Boot\n"
    "                                 mbr: the same with an MBR table\n"
    "                                 noformat: into partitions that are labelled RANCHER_BOOT\n"
    "                                 and RANCHER_STATE already; what is on the latter stays\n"
    "           -p, --partition STATE with noformat: RANCHER_STATE is on another disk, RAID or "
    "LVM,\n"
    "                                 such as /dev/md0\n"
    "           -a, --append WORDS    more for the kernel's command line\n"
    "           --statedir FOLDER     keeps the state in this folder of RANCHER_STATE\n"
    "           -i, --image RELEASES  a folder, URL or OCI image with an `index`; without it, the\n"
    "                                 version that runs here, from where it was booted\n"
    "           -f, --force           does not ask\n"
    "           -s, --save            brings the images of its services, console and engine "
    "along,\n"
    "                                 so that the first boot needs no registry\n"
    "           --no-reboot           does not reboot afterwards\n"
    "           -k, --kexec           reboots into what was installed without the firmware\n";

// The version that runs, from its own medium, or the newest of the place.
Release release_from(const ReleaseSource& source, bool own) {
  const auto releases = source.releases();
  if (!own) {
    if (releases.empty()) throw Error{"the index of " + source.place() + " is empty"};
    return releases.back();
  }
  const auto running = std::ranges::find(releases, running_version(), &Release::version);
  if (running == releases.end())
    throw Error{fmt::format("{} does not have version {}", source.place(), running_version())}.hint(
        "-i FOLDER-OR-URL names a release");
  return *running;
}

// Where this box was booted from: an ISO, or an installed disk.
std::string own_medium() {
  if (!fs::exists(fs::path{kMediumFolder} / "layers"))
    throw Error{"this box was started from the network and has no copy of its kernel"}.hint(
        "-i FOLDER-OR-URL names a release to install");
  return kMediumFolder;
}

std::string read_document(const std::string& place, const Config& config) {
  try {
    if (place.find("://") == std::string::npos) return read_file(place);
    return fetch_text(place, Patience{}.at_most(kDocumentTime), proxies_of(config));
  } catch (Error& error) {
    error.add_context("while reading the cloud-config " + place);
    throw;
  }
}

// What the installed box will go by, as far as this one knows it.
Config installed_config(Config config, const InstallPlan& plan, const std::string& file) {
  if (plan.cloud_config) add_layer(config, *plan.cloud_config, file);
  return config;
}

int run_install(Arguments arguments) {
  require_root();
  const Config config = load_config();
  InstallPlan plan;
  plan.disk = take_option(arguments, "-d", "--device");
  const std::string cloud_config = take_option(arguments, "-c", "--cloud-config");
  plan.type = parse_disk_type(take_option(arguments, "-t", "--install-type"));
  plan.state = take_option(arguments, "-p", "--partition");
  plan.append = append_words(take_option(arguments, "-a", "--append"));
  plan.directory = take_option(arguments, "", "--statedir");
  const std::string image = take_option(arguments, "-i", "--image");
  const bool force = take_flag(arguments, "-f", "--force");
  const bool save = take_flag(arguments, "-s", "--save");
  const bool reboot = !take_flag(arguments, "", "--no-reboot");
  plan.kexec = take_flag(arguments, "-k", "--kexec");
  take_flag(arguments, "", "--debug");  // of the old system
  expect_words(arguments, 0, 0, "ros install");
  if (plan.disk.empty())
    throw Error{"no disk was named", Error::Kind::usage}.hint("-d /dev/sda; `lsblk` lists them");
  if (plan.kexec && !reboot)
    throw Error{"--kexec is a way to reboot: not with --no-reboot", Error::Kind::usage};

  // Whatever can be wrong is found before the disk is touched.
  if (!cloud_config.empty()) {
    plan.cloud_config = read_document(cloud_config, config);
    parse_config(*plan.cloud_config, cloud_config);
  }
  const ReleaseSource source = image.empty()
                                   ? ReleaseSource{own_medium()}
                                   : ReleaseSource{image, proxies_of(config), signers_of(config)};
  plan.release = release_from(source, image.empty());
  check_arch(plan.release);
  check_disk(plan);
  if (save) plan.images = gather_images(installed_config(config, plan, cloud_config));

  fmt::print(stderr, "{}", describe_disk(plan.disk));
  fmt::print(stderr, "{} {} comes from {}\n", plan.release.title, plan.release.version,
             source.place());
  if (!plan.cloud_config)
    fmt::print(stderr, "There is no cloud-config: only a datasource can let somebody in.\n");
  const std::string question =
      plan.type == DiskType::as_it_is
          ? fmt::format("Install into RANCHER_BOOT of {}?", plan.disk.string())
          : fmt::format("Everything on {} will be lost. Install?", plan.disk.string());
  if (!force && !confirm(question)) return 1;
  install(plan, source);
  fmt::print(stderr, "{} {} is installed on {}{}\n", plan.release.title, plan.release.version,
             plan.disk.string(), plan.kexec ? "" : "; take the medium out before it boots");
  return reboot && (force || confirm("Reboot?")) ? power_verb("reboot", {}) : 0;
}

}  // namespace

int install_verb(const Arguments& arguments) {
  if (arguments.empty() || std::ranges::count(arguments, "--help") > 0 ||
      std::ranges::count(arguments, "-h") > 0) {
    std::fputs(kHelp, stdout);
    return arguments.empty() ? 2 : 0;
  }
  return run_install(arguments);
}

}  // namespace ros
