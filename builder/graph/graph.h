// A graph of steps, run on several threads with the critical path first.
//
// A step starts when every step it needs has ended. The first failure stops
// new work and cancels running steps; its error is what run_graph throws.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "builder/graph/reporter.h"

namespace rosbuild {

enum class Outcome { built, cached };

struct Step {
  std::string name;                // "layer base": shown to the user
  std::vector<std::size_t> needs;  // indices of earlier steps
  double weight = 1;               // rough cost in seconds, for the critical path
  std::function<Outcome(std::stop_token)> work;
};

class Graph {
 public:
  // Returns the step's index. `needs` may name only steps added before, so a
  // graph has no cycles by construction.
  std::size_t add(Step step);
  const std::vector<Step>& steps() const { return steps_; }
  // For each step: its weight plus the heaviest chain of steps that need it.
  std::vector<double> critical_path() const;

 private:
  std::vector<Step> steps_;
};

// Runs every step on `jobs` threads (at least 1). Throws the first failure with
// the step's name as context, or Cancelled when `stop` was requested.
void run_graph(const Graph& graph, unsigned jobs, Reporter& reporter, std::stop_token stop);

}  // namespace rosbuild
