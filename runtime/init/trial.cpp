#include "runtime/init/trial.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "runtime/base/boot_medium.h"
#include "runtime/base/error.h"
#include "runtime/base/timeline.h"
#include "runtime/init/console.h"

namespace ros {
namespace {

constexpr long kReadySeconds = 600;
constexpr unsigned kReadingSeconds = 10;

// Without a medium, or when it cannot be written, GRUB's counter gets there in the end.
void leave_reason(std::string_view reason) noexcept {
  try {
    WritableMedium medium{kMediumFolder};
    BootState state = load_boot_state();
    state.tries = 0;
    state.reason = reason;
    medium.save(state);
  } catch (const std::exception& error) {
    announce_error(error.what());
  }
}

}  // namespace

void watch_trial(const Cmdline& cmdline) {
  if (!cmdline.flag("rancher.trial")) return;
  const long limit = std::max(1L, cmdline.number("rancher.ready_within", kReadySeconds));
  std::thread{[limit] {
    std::this_thread::sleep_for(std::chrono::seconds{limit});
    if (fs::exists(kReady)) return;
    const std::string reason = fmt::format("it was not ready after {} s", limit);
    announce_error(reason);
    leave_reason(reason);
    ::kill(::getpid(), SIGTERM);  // reboot, in order
  }}.detach();
}

bool end_trial(std::string_view reason) noexcept {
  try {
    if (!Cmdline{try_read_file("/proc/cmdline").value_or("")}.flag("rancher.trial")) return false;
    if (fs::exists(kReady)) return false;  // the trial is over
    announce("this version is on trial: going back to the one before");
    leave_reason(reason);
    ::sleep(kReadingSeconds);
  } catch (const std::exception& error) {
    announce_error(error.what());
  }
  return true;
}

}  // namespace ros
