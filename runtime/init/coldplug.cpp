#include "runtime/init/coldplug.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/timeline.h"
#include "runtime/init/console.h"

namespace ros {

Coldplug::Coldplug(std::shared_ptr<ModuleLoader> loader)
    : loader_{std::move(loader)},
      sysfs_{open_file("/sys", O_RDONLY | O_DIRECTORY)},
      settled_{::eventfd(0, EFD_CLOEXEC)},
      stop_{::eventfd(0, EFD_CLOEXEC)},
      thread_{[this] { work(); }} {}

Coldplug::~Coldplug() {
  stopping_ = true;
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void Coldplug::wait() const noexcept {
  pollfd waiting{settled_.get(), POLLIN, 0};
  while (::poll(&waiting, 1, -1) < 0 && errno == EINTR) {
  }
}

void Coldplug::work() noexcept {
  try {
    loader_->coldplug(sysfs_.get());
    while (!stopping_) {
      while (const auto event = events_.next())
        if (!event->modalias.empty() && event->action != "remove" && !stopping_)
          loader_->load_for(event->modalias);
      if (events_.overrun()) loader_->coldplug(sysfs_.get());
      if (!is_settled_) {
        log::debug(fmt::format("{:.2f} devices settled", uptime()));
        is_settled_ = true;
        const std::uint64_t one = 1;
        (void)!::write(settled_.get(), &one, sizeof one);
        loader_->load_listed();
      }
      loader_->forget_indices();  // megabytes, and the next device may come in a year
      pollfd waiting[] = {{events_.fd(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      ::poll(waiting, 2, -1);
    }
  } catch (const std::exception& error) {
    log::error(error.what());
  }
  is_settled_ = true;
  const std::uint64_t one = 1;
  (void)!::write(settled_.get(), &one, sizeof one);
}

}  // namespace ros
