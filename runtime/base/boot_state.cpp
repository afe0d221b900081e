#include "runtime/base/boot_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "runtime/base/text.h"

namespace ros {
namespace {

constexpr std::string_view kHeader = "# GRUB Environment Block\n";
constexpr std::size_t kBlockSize = 1024;
constexpr std::size_t kSector = 512;

// GRUB's own reader of values knows backslashes; no text of ours needs any.
std::string plain(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == '\\' || c == 0x7f) c = ' ';
  return text;
}

std::vector<std::string> verbose(std::vector<std::string> cmdline) {
  std::erase_if(cmdline, [](const std::string& word) {
    return word == "quiet" || word.starts_with("loglevel=");
  });
  return cmdline;
}

// tty1, and the serial lines that are consoles: "console=ttyS0,115200".
std::vector<std::string> login_consoles(const std::vector<std::string>& cmdline) {
  constexpr std::string_view kConsole = "console=";
  std::vector<std::string> names{"tty1"};
  for (const auto& word : cmdline) {
    if (!word.starts_with(kConsole)) continue;
    const auto name = word.substr(kConsole.size(), word.find(',') - kConsole.size());
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

std::vector<std::string> with(std::vector<std::string> cmdline,
                              std::initializer_list<const char*> more) {
  cmdline.insert(cmdline.end(), more.begin(), more.end());
  return cmdline;
}

}  // namespace

std::string to_block(const BootState& state) {
  std::string block{kHeader};
  const auto put = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    const std::string line = fmt::format("{}={}\n", name, plain(value));
    const std::size_t room = kSector - block.size();
    if (line.size() <= room)
      block += line;
    else if (room > 32)
      block += line.substr(0, room - 1) + "\n";
  };
  put("current", state.current);
  put("previous", state.previous);
  put("trial", state.trial);
  // GRUB replaces one digit by another.
  if (!state.trial.empty()) put("tries", std::to_string(state.tries));
  put("failed", state.failed);
  put("reason", state.reason);
  block.resize(kBlockSize, '#');
  return block;
}

BootState parse_block(std::string_view block) {
  BootState state;
  if (!block.starts_with(kHeader)) return state;
  for (const auto& line : split(block.substr(kHeader.size()), '\n')) {
    const auto equals = line.find('=');
    if (line.starts_with('#') || equals == line.npos) continue;
    const std::string name = line.substr(0, equals);
    const std::string value = line.substr(equals + 1);
    const auto version = [&] { return is_version(value) ? value : std::string{}; };
    if (name == "current") state.current = version();
    if (name == "previous") state.previous = version();
    if (name == "trial") state.trial = version();
    if (name == "failed") state.failed = version();
    if (name == "reason") state.reason = value;
    if (name == "tries") std::from_chars(value.data(), value.data() + value.size(), state.tries);
  }
  state.tries = std::clamp(state.tries, 0, kTrialStarts);
  return state;
}

std::string grub_config(std::string_view title, std::string_view label, std::string_view current) {
  const std::string name = quote(title);
  return fmt::format(
      "# {0}: starts one of the versions that are here. Never changed; docs/upgrade.md.\n"
      "set default=current\n"
      "set timeout_style=menu\n"
      "set timeout=3\n"
      "set current={2}\n"
      "search --no-floppy --set=root --label {1} --hint $root\n"
      "if [ -s $prefix/grubenv ]; then\n"
      "  load_env --file $prefix/grubenv current previous trial tries\n"
      "fi\n"
      "set version=$current\n"
      "set other=$previous\n"
      // A version on trial is started only when the start could be counted.
      "if [ -n \"$trial\" ]; then\n"
      "  set left=\n"
      "  if [ \"$tries\" = 3 ]; then set left=2; fi\n"
      "  if [ \"$tries\" = 2 ]; then set left=1; fi\n"
      "  if [ \"$tries\" = 1 ]; then set left=0; fi\n"
      "  if [ -n \"$left\" ]; then\n"
      "    set tries=$left\n"
      "    if save_env --file $prefix/grubenv tries; then\n"
      "      set version=$trial\n"
      "      set other=$current\n"
      "      set trial_word=rancher.trial\n"
      "    fi\n"
      "  fi\n"
      "fi\n"
      "export other\n"
      // UEFI firmware mirrors its console to the serial port by itself.
      "if [ \"$grub_platform\" = pc ]; then\n"
      "  if serial --unit=0 --speed=115200; then\n"
      "    terminal_input console serial\n"
      "    terminal_output console serial\n"
      "  fi\n"
      "fi\n"
      "source /$version/menu.cfg\n"
      "if [ -n \"$other\" -a -s /$other/menu.cfg ]; then\n"
      "  submenu {3}\" $other (the version before)\" --id other {{ source /$other/menu.cfg; }}\n"
      "fi\n",
      title, label, quote(current), name);
}

std::string version_menu(const Release& release, const std::vector<std::string>& cmdline) {
  const std::string& version = release.version;
  const std::string packed = "/" + version + "/" + kPackedKernelFile;
  std::string kernel = "/" + kernel_path(release);
  std::string unpack;
  if (kernel == packed) {
    // A device for each version: GRUB remembers what it has read from one.
    unpack = fmt::format("  loopback kernel-{} {}\n", version, packed);
    kernel = fmt::format("(kernel-{})/{}", version, kKernelFile);
  }
  std::string text;
  // Unset, $trial_word is no word at all.
  const auto entry = [&](const std::string& suffix, const std::string& id, const std::string& first,
                         const std::vector<std::string>& words) {
    text += fmt::format(
        "menuentry {} --id {} {{\n"
        "{}"
        "  linux {} {}{}\n"
        "  initrd /{}/initrd\n"
        "}}\n",
        quote(release.title + " " + version + suffix), id, unpack, kernel, first, quote(words),
        version);
  };
  // Each of them is a way to the same system when it does not come up as usual.
  entry("", "current", "$trial_word ", cmdline);
  entry(" (debug messages)", "debug", "", with(verbose(cmdline), {"rancher.debug=true"}));
  entry(" (recovery console)", "recovery", "", with(cmdline, {"rancher.recovery=true"}));
  const auto logins = login_consoles(cmdline);
  auto with_logins = cmdline;
  for (const auto& name : logins) with_logins.push_back("rancher.autologin=" + name);
  entry(fmt::format(" (autologin on {})", join(logins, " and ")), "autologin", "", with_logins);
  return text;
}

}  // namespace ros
