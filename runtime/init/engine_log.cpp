#include "runtime/init/engine_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/log.h"

namespace ros {
namespace {

constexpr std::size_t kMostKept = 256 << 10;
constexpr std::uintmax_t kLargest = 4 << 20;

struct Source {
  std::string name;
  Fd reader, writer, file;
  std::string kept;
  std::uintmax_t size = 0;
};

}  // namespace

struct EngineLog::Shared {
  std::mutex mutex;
  std::list<Source> sources;
  fs::path folder;
  bool closed = false;
  Fd changed{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

  void open(Source& source) {
    const fs::path path = folder / (source.name + ".log");
    boost::system::error_code error;
    source.size = fs::exists(path, error) ? fs::file_size(path, error) : 0;
    if (source.size >= kLargest) {
      fs::rename(path, path.string() + ".1", error);
      source.size = 0;
    }
    source.file = Fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640)};
  }

  // A full disk loses lines, never time: the pipes are always emptied.
  void write(Source& source, std::string_view bytes) {
    if (closed) return;
    if (folder.empty()) {
      if (source.kept.size() < kMostKept) source.kept += bytes;
      return;
    }
    if (!source.file || source.size >= kLargest) open(source);
    if (!source.kept.empty())
      (void)!::write(source.file.get(), source.kept.data(), source.kept.size());
    source.kept.clear();
    (void)!::write(source.file.get(), bytes.data(), bytes.size());
    source.size += bytes.size();
  }

  void work() {
    std::array<char, 16384> buffer{};
    for (;;) {
      std::vector<pollfd> waiting{{changed.get(), POLLIN, 0}};
      std::vector<Source*> order;
      {
        const std::lock_guard lock{mutex};
        for (auto& source : sources) {
          waiting.push_back({source.reader.get(), POLLIN, 0});
          order.push_back(&source);
        }
      }
      if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
      std::uint64_t number = 0;
      (void)!::read(changed.get(), &number, sizeof number);
      const std::lock_guard lock{mutex};
      for (std::size_t i = 0; i < order.size(); ++i) {
        if (!(waiting[i + 1].revents & POLLIN)) continue;
        const auto count = ::read(order[i]->reader.get(), buffer.data(), buffer.size());
        if (count > 0) write(*order[i], {buffer.data(), static_cast<std::size_t>(count)});
      }
    }
  }
};

EngineLog::EngineLog() : shared_{std::make_shared<Shared>()} {
  std::thread{[shared = shared_] {
    for (;;) {
      try {
        shared->work();
      } catch (const std::exception& error) {
        log::error(error.what());
      }
    }
  }}.detach();
}

int EngineLog::writer(const std::string& name) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Error::from_errno("cannot make a pipe");
  const std::lock_guard lock{shared_->mutex};
  auto& source = shared_->sources.emplace_back(
      Source{.name = name, .reader = Fd{ends[0]}, .writer = Fd{ends[1]}, .file = {}, .kept = {}});
  const std::uint64_t one = 1;
  (void)!::write(shared_->changed.get(), &one, sizeof one);
  return source.writer.get();
}

void EngineLog::close() {
  const std::lock_guard lock{shared_->mutex};
  shared_->closed = true;
  for (auto& source : shared_->sources) source.file.reset();
}

void EngineLog::write_to(const fs::path& folder) {
  const std::lock_guard lock{shared_->mutex};
  shared_->folder = folder;
  for (auto& source : shared_->sources) shared_->write(source, "");
}

}  // namespace ros
