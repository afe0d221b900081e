// A file of the cache together with its digest: what most steps make.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "builder/graph/cache.h"
#include "builder/graph/graph.h"

namespace rosbuild {

// The entry of such a file is a folder with "data" and "sha256".
struct Made {
  fs::path path;
  std::string sha256;
  std::uint64_t size = 0;
};

// The file that `key` names, when it has been made.
std::optional<Made> find_made(const Cache& cache, const Key& key);
// Makes it by make(out) when absent; `made` receives it either way.
Outcome make_file(Cache& cache, const Key& key, const std::function<void(const fs::path&)>& make,
                  Made& made, const std::stop_token& stop);

using MakeFile = std::function<void(const fs::path& out, std::stop_token stop)>;

struct PlannedFile {
  std::size_t step = 0;
  std::shared_ptr<Made> made;  // set after the step
  std::string key;             // digest
};

// The steps of a graph that make files. What several ask for is made by one step.
class FileSteps {
 public:
  FileSteps(Cache& cache, Graph& graph) : cache_(cache), graph_(graph) {}
  PlannedFile add(const std::string& title, const Key& key, std::vector<std::size_t> needs,
                  double weight, MakeFile make);

 private:
  Cache& cache_;
  Graph& graph_;
  std::map<std::string, PlannedFile> planned_;  // by key
};

// A value computed on first use, by whichever thread comes first.
template <class T>
class Lazy {
 public:
  explicit Lazy(std::function<T()> make) : make_(std::move(make)) {}
  const T& get() {
    std::call_once(once_, [this] { value_ = make_(); });
    return *value_;
  }

 private:
  std::function<T()> make_;
  std::once_flag once_;
  std::optional<T> value_;
};

}  // namespace rosbuild
