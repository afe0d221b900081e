#include "builder/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace rosbuild {
namespace {

using ros::Error;

constexpr const char* kFooter =
    "Examples:\n"
    "  rosbuild image --platform vmware\n"
    "  rosbuild image --platform amd64 --only rancheros.iso --compress fast\n"
    "  rosbuild boot out/vmware/rancheros.vmdk --firmware uefi\n"
    "\n"
    "`rosbuild VERB --help` tells more. Caches are in $XDG_CACHE_HOME/rosbuild.\n";

constexpr const char* kImageFooter =
    "Examples:\n"
    "  rosbuild image --platform vmware\n"
    "  rosbuild image --platform all --output /srv/images --jobs 8\n"
    "  rosbuild image --platform all --arch arm64\n"
    "  rosbuild image --platform amd64 --only vmlinuz --only initrd\n"
    "\n"
    "Artifacts and their checksums.txt appear in DIR/PLATFORM when they are complete.\n";

constexpr const char* kBootFooter =
    "Examples:\n"
    "  rosbuild boot out/vmware/rancheros.vmdk --port-forward 2222:22\n"
    "  rosbuild boot out/amd64/rancheros.iso --firmware secure-boot -- -smp 4\n"
    "\n"
    "What follows -- goes to QEMU as it is.\n";

constexpr const char* kPublishFooter =
    "Example:\n"
    "  rosbuild publish --sign ~/.ssh/id_ed25519\n"
    "\n"
    "Reads every artifact again and compares it with checksums.txt, then writes DIR/latest (the\n"
    "version) and DIR/index.html; with a key PLATFORM/checksums.txt.sig and, for boxes that\n"
    "upgrade, PLATFORM/release/index.sig.\n";

Error usage(const std::string& message, const std::string& hint = {}) {
  Error error{message, Error::Kind::usage};
  return hint.empty() ? error : std::move(error).hint(hint);
}

template <class Number>
Number parse_number(const std::string& option, std::string_view text, Number low, Number high) {
  Number value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value < low || value > high)
    throw usage(
        fmt::format("{} wants a whole number from {} to {}, not '{}'", option, low, high, text));
  return value;
}

template <class Value>
Value parse_choice(const std::string& option, const std::string& text,
                   const std::vector<std::pair<std::string, Value>>& choices) {
  std::vector<std::string> names;
  for (const auto& [name, value] : choices) {
    if (name == text) return value;
    names.push_back(name);
  }
  throw usage(fmt::format("{} wants {}, not '{}'", option, ros::join(names, " or "), text));
}

PortForward parse_forward(const std::string& text) {
  const auto parts = ros::split(text, ':');
  if (parts.size() != 2)
    throw usage(fmt::format("--port-forward wants HOST:GUEST, not '{}'", text), "as 2222:22");
  const auto port = [](const std::string& part) {
    return parse_number<std::uint16_t>("--port-forward", part, 1, 65535);
  };
  return {port(parts[0]), port(parts[1])};
}

bool holds_recipes(const fs::path& root) {
  return fs::is_regular_file(root / "recipes/distribution.yaml");
}

// --recipes, ROSBUILD_RECIPES, a source checkout around us, the installed ones.
fs::path find_recipes(const std::string& option) {
  const char* variable = std::getenv("ROSBUILD_RECIPES");
  const auto named = [](const fs::path& root, const char* source) {
    if (holds_recipes(root)) return root.lexically_normal();
    auto error = usage(fmt::format("{} names '{}', which has no recipes/distribution.yaml", source,
                                   root.string()));
    if (fs::is_regular_file(root / "distribution.yaml"))
      throw std::move(error).hint(fmt::format("did you mean the folder above it, '{}'?",
                                              (root / "..").lexically_normal().string()));
    throw error;
  };
  if (!option.empty()) return named(option, "--recipes");
  if (variable != nullptr && *variable != '\0') return named(variable, "ROSBUILD_RECIPES");
  if (holds_recipes(".")) return ".";
  const auto installed =
      (fs::read_symlink("/proc/self/exe").parent_path() / "../share/rosbuild").lexically_normal();
  if (holds_recipes(installed)) return installed;
  throw usage(fmt::format("no recipes: neither ./recipes nor {} is there", installed.string()),
              "go to a checkout, or name one with --recipes DIR");
}

// What the options write into; turned into a Request when all is known.
struct Texts {
  std::string recipes;
  std::string output = "out";
  std::string jobs;
  std::string compression = "release";
  std::string cache_limit = "16";
  std::string path;
  std::string memory = "1024";
  std::string firmware = "bios";
  std::vector<std::string> forwards;
};

class Interface {
 public:
  Interface()
      : app_("Builds RancherOS: kernel, initrd, root file system, ISO and disk images.",
             "rosbuild") {
    app_.set_version_flag("--version", "rosbuild " ROSBUILD_VERSION "\n");
    app_.get_formatter()->label("SUBCOMMAND", "VERB");
    app_.footer(kFooter);
    app_.require_subcommand(0, 1);
    app_.allow_extras();
    add_recipes(app_);
    add_image();
    add_lock();
    add_recipes(verb("list", "Show platforms and their artifacts", Verb::list));
    add_recipes(verb("lint", "Check recipes, platforms and locks", Verb::lint));
    add_boot();
    add_verify();
    add_publish();
  }

  std::variant<Request, std::string> parse(std::vector<std::string> arguments) {
    const auto separator = std::ranges::find(arguments, "--");
    const bool separated = separator != arguments.end();
    if (separated) request_.qemu_arguments.assign(separator + 1, arguments.end());
    arguments.erase(separator, arguments.end());
    if (!arguments.empty() && arguments[0] == "help") {
      arguments.erase(arguments.begin());
      arguments.push_back("--help");
    }
    try {
      std::ranges::reverse(arguments);  // CLI11 takes them from the back
      app_.parse(arguments);
    } catch (const CLI::CallForHelp&) {
      return app_.help();
    } catch (const CLI::CallForVersion& version) {
      return std::string(version.what());
    } catch (const CLI::ParseError& error) {
      throw usage(error.what(), "see rosbuild --help");
    }
    const auto* chosen = app_.get_subcommands().empty() ? nullptr : app_.get_subcommands()[0];
    refuse_extras(chosen);
    if (chosen == nullptr) throw usage("no verb given", "one of: " + ros::join(verbs(), ", "));
    if (separated && chosen->get_name() != "boot")
      throw usage("'--' and what follows it is for `rosbuild boot` only");
    return finish();
  }

 private:
  CLI::App& verb(const std::string& name, const std::string& description, Verb value) {
    auto& sub = *app_.add_subcommand(name, description)->group("Verbs");
    sub.allow_extras();
    sub.callback([this, value] { request_.verb = value; });
    return sub;
  }

  CLI::App& add_recipes(CLI::App& app) {
    app.add_option("--recipes", texts_.recipes,
                   "Folder that holds recipes/ and platforms/ (also $ROSBUILD_RECIPES; default: "
                   "this checkout, else the installed ones)")
        ->type_name("DIR");
    return app;
  }

  void add_output(CLI::App& app, const std::string& description) {
    app.add_option("--output", texts_.output, description)->type_name("DIR")->capture_default_str();
  }

  void add_mirror(CLI::App& app) {
    app.add_option("--mirror", request_.mirror,
                   "Debian mirror (also $ROSBUILD_MIRROR; default: the one in this machine's apt "
                   "sources)")
        ->type_name("URL");
  }

  void add_image() {
    auto& image = add_recipes(verb("image", "Build the artifacts of a platform", Verb::image));
    repeatable(image, "--platform", request_.platforms, "Platform, or all; may repeat", "NAME");
    image
        .add_option("--arch", request_.platform_arch,
                    "Of --platform all only those for this architecture")
        ->type_name("ARCH")
        ->check(CLI::IsMember({"amd64", "arm64"}));
    add_output(image, "Where artifacts go");
    image.add_option("--jobs", texts_.jobs, "Steps at a time (default: one a processor)")
        ->type_name("N");
    image.add_option("--compress", texts_.compression, "fast, or release: small")
        ->type_name("fast|release")
        ->capture_default_str();
    add_mirror(image);
    repeatable(image, "--only", request_.only, "Build this artifact only; may repeat", "ARTIFACT");
    image
        .add_option("--cache-limit", texts_.cache_limit,
                    "GiB that the cache may keep after a build; what was not used for longest goes")
        ->type_name("GIB")
        ->capture_default_str();
    image.footer(kImageFooter);
  }

  void add_lock() {
    auto& lock = add_recipes(
        verb("lock", "Resolve package names to exact versions and digests", Verb::lock));
    lock.add_flag("--update", request_.update, "Take the newest versions of everything");
    lock.add_option("--arch", request_.lock_arch,
                    "Of this architecture only (default: each that a platform has)")
        ->type_name("ARCH");
    add_mirror(lock);
  }

  void add_boot() {
    auto& boot = verb("boot", "Start QEMU on an artifact", Verb::boot);
    boot.add_option("path", texts_.path, "ISO, disk image, or folder of a netboot pair")
        ->type_name("PATH");
    boot.add_option("--memory", texts_.memory, "Memory in MB")
        ->type_name("MB")
        ->capture_default_str();
    boot.add_option("--arch", request_.arch,
                    "amd64, or arm64 for its ISO and disks (a kernel tells by itself)")
        ->type_name("ARCH")
        ->capture_default_str()
        ->check(CLI::IsMember({"amd64", "arm64"}));
    boot.add_option("--firmware", texts_.firmware, "bios, uefi or secure-boot (arm64: uefi)")
        ->type_name("NAME")
        ->capture_default_str();
    repeatable(boot, "--port-forward", texts_.forwards,
               "TCP port of this machine to one of the guest; may repeat", "HOST:GUEST");
    boot.footer(kBootFooter);
  }

  void add_verify() {
    auto& verify =
        verb("verify", "Tell what an artifact is and what is wrong with it", Verb::verify);
    verify.add_option("path", texts_.path, "Artifact, or folder of them")->type_name("PATH");
  }

  void add_publish() {
    auto& publish = add_recipes(
        verb("publish", "Make the output a place to download and to upgrade from", Verb::publish));
    add_output(publish, "Where artifacts are");
    publish
        .add_option("--sign", request_.signing_key,
                    "Private key of ssh, or the public half of one that ssh-agent has")
        ->type_name("KEY");
    publish.footer(kPublishFooter);
  }

  static void repeatable(CLI::App& app, const std::string& name, std::vector<std::string>& into,
                         const std::string& description, const std::string& type) {
    app.add_option(name, into, description)->type_name(type)->allow_extra_args(false);
  }

  std::vector<std::string> verbs() const {
    std::vector<std::string> names;
    for (const auto* sub : app_.get_subcommands({})) names.push_back(sub->get_name());
    return names;
  }

  // Options and words that mean nothing here, the first with the nearest that does.
  void refuse_extras(const CLI::App* chosen) const {
    const auto extras = app_.remaining(true);
    if (extras.empty()) return;
    const auto& word = extras.front();
    const CLI::App& at = chosen == nullptr ? app_ : *chosen;
    if (word.starts_with("-")) {
      std::vector<std::string> known;
      for (const auto* option : at.get_options())
        if (!option->get_lnames().empty()) known.push_back("--" + option->get_lnames()[0]);
      const auto name = word.substr(0, word.find('='));
      const auto near = ros::nearest(name, known);
      throw usage(fmt::format("unknown option '{}'", name),
                  near ? fmt::format("did you mean '{}'?", *near)
                       : fmt::format("see {} --help", full_name(chosen)));
    }
    if (chosen != nullptr)
      throw usage(fmt::format("unexpected word '{}'", word),
                  fmt::format("see {} --help", full_name(chosen)));
    const auto near = ros::nearest(word, verbs());
    throw usage(
        fmt::format("unknown verb '{}'", word),
        near ? fmt::format("did you mean '{}'?", *near) : "one of: " + ros::join(verbs(), ", "));
  }

  static std::string full_name(const CLI::App* chosen) {
    return chosen == nullptr ? "rosbuild" : "rosbuild " + chosen->get_name();
  }

  Request finish() {
    if (request_.verb == Verb::image && request_.platforms.empty())
      throw usage("--platform is missing", "`rosbuild list` shows the platforms");
    if (!request_.platform_arch.empty() && std::ranges::count(request_.platforms, "all") == 0)
      throw usage("--arch is of --platform all", "a platform by its name has one architecture");
    if (request_.verb == Verb::boot && texts_.path.empty())
      throw usage("what shall be booted?", "as in: rosbuild boot out/vmware/rancheros.vmdk");
    if (request_.verb == Verb::verify && texts_.path.empty())
      throw usage("what shall be verified?", "as in: rosbuild verify out/gce");
    if (request_.verb != Verb::boot && request_.verb != Verb::verify)
      request_.recipes = find_recipes(texts_.recipes);
    request_.output = texts_.output;
    request_.jobs = texts_.jobs.empty() ? std::max(1U, std::thread::hardware_concurrency())
                                        : parse_number<unsigned>("--jobs", texts_.jobs, 1, 256);
    request_.compression =
        parse_choice<Compression>("--compress", texts_.compression,
                                  {{"fast", Compression::fast}, {"release", Compression::release}});
    request_.cache_limit =
        parse_number<std::uint64_t>("--cache-limit", texts_.cache_limit, 1, 1U << 20) << 30;
    request_.path = texts_.path;
    request_.memory_mb = parse_number<unsigned>("--memory", texts_.memory, 64, 1U << 20);
    request_.firmware = parse_choice<Firmware>("--firmware", texts_.firmware,
                                               {{"bios", Firmware::bios},
                                                {"uefi", Firmware::uefi},
                                                {"secure-boot", Firmware::secure_boot}});
    for (const auto& text : texts_.forwards) request_.forwards.push_back(parse_forward(text));
    return request_;
  }

  Request request_;
  Texts texts_;
  CLI::App app_;
};

}  // namespace

std::variant<Request, std::string> parse_command_line(const std::vector<std::string>& arguments) {
  return Interface().parse(arguments);
}

}  // namespace rosbuild
