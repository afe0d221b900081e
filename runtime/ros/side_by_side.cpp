#include "runtime/ros/side_by_side.h"

#include <sys/eventfd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "runtime/base/error.h"
#include "runtime/base/fd.h"

namespace ros {
namespace {

struct Attempt {
  Answer answer{};
  bool done = false;
};

// Ends what waits with a patience that has this eventfd.
struct CallOff {
  int cancel;
  ~CallOff() { ::eventfd_write(cancel, 1); }
};

}  // namespace

Answer first_of(const std::vector<Ask>& questions, const Patience& patience) {
  const Fd cancel{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!cancel) throw Error::from_errno("eventfd");
  const Patience bounded{patience.until, cancel.get()};
  std::vector<Attempt> attempts(questions.size());
  std::mutex mutex;
  std::condition_variable ended;
  std::vector<std::jthread> threads;
  const CallOff at_exit{cancel.get()};  // before the threads are joined
  for (std::size_t i = 0; i < questions.size(); ++i) {
    threads.emplace_back([&, i] {
      Answer answer;
      try {
        answer = questions[i](bounded);
      } catch (const std::exception& error) {
        answer.problems.emplace_back(error.what());
      }
      const std::lock_guard lock{mutex};
      attempts[i] = {std::move(answer), true};
      ended.notify_all();
    });
  }
  Answer all;
  for (auto& attempt : attempts) {
    std::unique_lock lock{mutex};
    ended.wait(lock, [&] { return attempt.done; });
    Answer& answer = attempt.answer;
    all.problems.insert(all.problems.end(), answer.problems.begin(), answer.problems.end());
    all.reached = all.reached && answer.reached;
    all.data = std::move(answer.data);
    if (all.data) break;
  }
  return all;
}

}  // namespace ros
