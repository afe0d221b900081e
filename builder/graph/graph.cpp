#include "builder/graph/graph.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "builder/os/process.h"
#include "runtime/base/error.h"

namespace rosbuild {
namespace {

class Run {
 public:
  Run(const Graph& graph, Reporter& reporter, std::stop_token outer)
      : graph_(graph),
        reporter_(reporter),
        rank_(graph.critical_path()),
        waiting_for_(graph.steps().size()),
        needed_by_(graph.steps().size()),
        forward_(std::move(outer), [this] { cancel(); }) {
    for (std::size_t i = 0; i < graph.steps().size(); ++i) {
      waiting_for_[i] = graph.steps()[i].needs.size();
      for (const auto need : graph.steps()[i].needs) needed_by_[need].push_back(i);
      if (waiting_for_[i] == 0) ready_.push_back(i);
    }
  }

  void work() {
    std::unique_lock lock{mutex_};
    while (true) {
      changed_.wait(lock, [&] { return !ready_.empty() || over(); });
      if (over()) return;
      const auto next = std::ranges::max_element(ready_, {}, [&](auto i) { return rank_[i]; });
      const std::size_t index = *next;
      ready_.erase(next);
      lock.unlock();
      const bool good = perform(index);
      lock.lock();
      ++ended_;
      if (good)
        for (const auto dependent : needed_by_[index])
          if (--waiting_for_[dependent] == 0) ready_.push_back(dependent);
      changed_.notify_all();
    }
  }

  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
    if (stop_.stop_requested()) throw Cancelled{};
  }

 private:
  bool over() const { return stop_.stop_requested() || ended_ == graph_.steps().size(); }

  void cancel() {
    stop_.request_stop();
    const std::lock_guard lock{mutex_};
    changed_.notify_all();
  }

  bool perform(std::size_t index) {
    const Step& step = graph_.steps()[index];
    const auto start = std::chrono::steady_clock::now();
    reporter_.started(step.name);
    try {
      const Outcome outcome = step.work(stop_.get_token());
      const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
      reporter_.finished(step.name, spent.count(), outcome == Outcome::cached);
      return true;
    } catch (const Cancelled&) {
    } catch (ros::Error& error) {
      reporter_.failed(step.name);
      error.add_context("while working on " + step.name);
      keep_failure(std::make_exception_ptr(error));
    } catch (const std::exception& error) {
      reporter_.failed(step.name);
      ros::Error wrapped{error.what()};
      wrapped.add_context("while working on " + step.name);
      keep_failure(std::make_exception_ptr(wrapped));
    }
    stop_.request_stop();
    return false;
  }

  void keep_failure(std::exception_ptr failure) {
    const std::lock_guard lock{mutex_};
    if (!failure_) failure_ = std::move(failure);
  }

  const Graph& graph_;
  Reporter& reporter_;
  std::vector<double> rank_;
  std::vector<std::size_t> waiting_for_;
  std::vector<std::vector<std::size_t>> needed_by_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::size_t> ready_;
  std::size_t ended_ = 0;
  std::exception_ptr failure_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> forward_;
};

}  // namespace

std::size_t Graph::add(Step step) {
  for (const auto need : step.needs)
    if (need >= steps_.size()) throw ros::Error{"internal: a step needs a later one"};
  steps_.push_back(std::move(step));
  return steps_.size() - 1;
}

std::vector<double> Graph::critical_path() const {
  std::vector<double> rank(steps_.size());
  for (std::size_t i = steps_.size(); i-- > 0;) {
    rank[i] += steps_[i].weight;
    for (const auto need : steps_[i].needs) rank[need] = std::max(rank[need], rank[i]);
  }
  return rank;
}

void run_graph(const Graph& graph, unsigned jobs, Reporter& reporter, std::stop_token stop) {
  reporter.plan(graph.steps().size());
  Run state{graph, reporter, std::move(stop)};
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < std::max(1U, jobs); ++i)
      threads.emplace_back([&state] { state.work(); });
  }
  state.rethrow();
}

}  // namespace rosbuild
