#include "runtime/base/in_time.h"

#include <chrono>
#include <exception>
#include <future>
#include <thread>

#include "runtime/base/log.h"

namespace ros {

bool in_time(std::function<void()> work) noexcept {
  try {
    std::packaged_task<void()> task{std::move(work)};
    const auto done = task.get_future();
    std::thread{std::move(task)}.detach();
    return done.wait_for(std::chrono::duration<double>{kInTime}) == std::future_status::ready;
  } catch (const std::exception& error) {
    log::error(error.what());  // no thread is to be had
    return false;
  }
}

}  // namespace ros
