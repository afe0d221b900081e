#include "runtime/init/shutdown.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "runtime/base/file.h"
#include "runtime/base/in_time.h"
#include "runtime/base/log.h"
#include "runtime/base/text.h"
#include "runtime/base/timeline.h"
#include "runtime/init/console.h"

namespace ros {
namespace {

constexpr double kLeastSeconds = 10;
// What is kept of the time for engines and processes that do not end.
constexpr double kForEngines = 5, kForProcesses = 2;
// Types of file systems whose data goes to a server.
constexpr std::array kRemote{"nfs", "nfs4", "cifs", "smb3", "ceph", "9p"};

std::string unescaped(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                  (text[i + 3] - '0'));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

// A file system with a file that is swapped to cannot be unmounted.
void end_swapping() {
  for (const auto& line : split(try_read_file("/proc/swaps").value_or(""), '\n')) {
    const std::string path = unescaped(line.substr(0, line.find(' ')));
    if (path.starts_with('/') && ::swapoff(path.c_str()) != 0) log::error(path + " stays in use");
  }
}

void make_read_only(const MountPoint& mount) {
  log::error(mount.path + " is busy" + (mount.remote ? "" : "; it is made read-only"));
  if (!mount.remote) ::mount(nullptr, mount.path.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
}

void unmount_all() {
  end_swapping();
  bool servers_answer = true;
  const auto unmount = [&](const MountPoint& mount) {
    const auto now = [path = mount.path] { ::umount2(path.c_str(), UMOUNT_NOFOLLOW); };
    if (!mount.remote) return now();
    if (servers_answer && !in_time(now)) {
      servers_answer = false;  // the next may be on the same
      log::error(mount.path + ": its server does not answer; what it has not got yet may be lost");
    }
  };
  // One may hide or hold another: again while there is progress.
  for (std::size_t left = ~std::size_t{0};;) {
    const auto mounts = mounts_to_undo(try_read_file("/proc/self/mountinfo").value_or(""));
    if (mounts.empty() || mounts.size() >= left) {
      std::ranges::for_each(mounts, make_read_only);
      return;
    }
    left = mounts.size();
    std::ranges::for_each(mounts, unmount);
  }
}

// However badly something hangs.
void limit(Ending ending, double seconds) {
  std::thread{[=] {
    std::this_thread::sleep_for(std::chrono::duration<double>{seconds});
    announce_error("the shutdown timeout has passed");
    end_machine(ending);
  }}.detach();
}

// Reaps until no child is left or `seconds` have passed. SIGCHLD is blocked.
void reap_all(double seconds) {
  sigset_t ended;
  ::sigemptyset(&ended);
  ::sigaddset(&ended, SIGCHLD);
  for (const double end = uptime() + seconds; uptime() < end;) {
    const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
    if (pid < 0) return;
    const timespec pause{.tv_sec = 0, .tv_nsec = 100'000'000};
    if (pid == 0) ::sigtimedwait(&ended, nullptr, &pause);
  }
}

}  // namespace

std::vector<MountPoint> mounts_to_undo(std::string_view mountinfo) {
  std::vector<MountPoint> mounts;
  for (const auto& line : split(mountinfo, '\n')) {
    const auto field = words(line);
    const auto dash = std::find(field.begin(), field.end(), "-");
    if (field.size() < 7 || field.end() - dash < 3) continue;
    const std::string path = unescaped(field[4]);
    // The root and its parts are in memory or read-only. What the kernel offers holds no data.
    const auto below = [&](const std::string& folder) {
      return path == folder || path.starts_with(folder + "/");
    };
    if (path == "/" || below("/proc") || below("/sys") || below("/dev") || path == "/run" ||
        below("/run/ros"))
      continue;
    mounts.push_back({path, std::ranges::count(kRemote, dash[1]) > 0});
  }
  std::ranges::reverse(mounts);  // later mounts lie over earlier ones
  return mounts;
}

void end_machine(Ending ending) {
  in_time(::sync);
  switch (ending) {
    case Ending::reboot:
      ::reboot(RB_KEXEC);  // returns when no kernel was loaded
      ::reboot(RB_AUTOBOOT);
      break;
    case Ending::poweroff:
      ::reboot(RB_POWER_OFF);
      break;
    case Ending::halt:
      break;
  }
  ::reboot(RB_HALT_SYSTEM);
  for (;;) ::pause();
}

void end_without_services(Ending ending) noexcept {
  try {
    limit(ending, kLeastSeconds + kInTime);
    ::kill(-1, SIGTERM);
    ::kill(-1, SIGCONT);
    ::kill(-1, SIGHUP);  // what interactive shells heed
    reap_all(kForProcesses);
    ::kill(-1, SIGKILL);
    reap_all(kForProcesses);  // what has not ended holds its file systems
    unmount_all();
  } catch (const std::exception& error) {
    announce_error(error.what());
  }
  end_machine(ending);
}

void shut_down(Ending ending, Supervisor& supervisor, EngineLog& logs, double seconds) {
  announce(ending == Ending::reboot     ? "rebooting"
           : ending == Ending::poweroff ? "powering off"
                                        : "halting");
  seconds = std::max(seconds, kLeastSeconds);
  const double end = uptime() + seconds;
  limit(ending, seconds);
  supervisor.finish({.argv = {"ros", "stop-all"}}, end - kForEngines - kForProcesses);
  supervisor.stop("ros sysinit", SIGTERM, uptime() + kForProcesses);
  supervisor.stop("system Docker", SIGTERM, end - kForProcesses);
  supervisor.stop("containerd", SIGTERM, end - kForProcesses);
  supervisor.end_everything(std::min(uptime() + kForProcesses, end));
  logs.close();
  unmount_all();
  announce(fmt::format("down after {:.1f} s", uptime() - (end - seconds)));
  end_machine(ending);
}

}  // namespace ros
